"""`cupola login`, `logout`, `whoami`: being known to a server."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from cupola.sdk import Cupola, SignedIn

NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Sign in with this local account's password."),
]
PasswordInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="The certificate of the server's own authority.",
        exists=True,
        dir_okay=False,
        resolve_path=True,
    ),
]


@dataclass(frozen=True, slots=True)
class LoginView:
    """What `--json` prints; docs/reference/cli.md promises its fields."""

    server: str
    name: str
    administrator: bool


def login(
    server: ServerOption = None,
    name: NameOption = None,
    password_stdin: PasswordInput = False,
    ca_file: Certificate = None,
    json: JsonOption = False,
) -> None:
    """Sign in to a server: in a browser, or with --name and a password. Commands then ask it."""
    from cupola.cli.profile import Profile, profile_file
    from cupola.cli.remote import Target, find_target, open_client
    from cupola.settings import load_client_settings

    chosen = str(ca_file) if ca_file else None
    settings = load_client_settings(server=server, ca_file=chosen)
    url = find_target(settings, None).url
    file = profile_file()
    profile = Profile.read(file)
    trusted = settings.ca_file or profile.certificates.get(url)
    with open_client(Target(url, None, trusted), settings) as client:
        signed = _sign_in(client, name, password_stdin)
    with open_client(Target(url, signed.token, trusted), settings) as client:
        me = client.me()
    profile.with_token(url, signed.token, trusted).write(file)
    if json:
        print_json(LoginView(url, me.user.name, me.administrator))
    else:
        print(f"Signed in to {url} as {me.user.name}. `cupola logout` ends it.")


def logout(server: ServerOption = None, json: JsonOption = False) -> None:
    """End the sign-in of this machine to a server, and forget its token."""
    from cupola.cli.failure import NOT_ALLOWED, Failed
    from cupola.cli.profile import Profile, profile_file
    from cupola.cli.remote import Target, open_client
    from cupola.settings import load_client_settings

    settings = load_client_settings(server=server)
    file = profile_file()
    profile = Profile.read(file)
    url = (settings.server or profile.current or "").rstrip("/")
    token = profile.tokens.get(url)
    if token is None:
        raise Failed(f"You are not signed in to {url or 'any server'}.", NOT_ALLOWED)
    profile.without(url).write(file)  # forgotten here, even if the server cannot be told
    with open_client(Target(url, token, profile.certificates.get(url)), settings) as client:
        _sign_out(client)
    print_json(SignedOut(url)) if json else print(f"Signed out of {url}.")


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What `logout --json` prints."""

    server: str


def whoami(server: ServerOption = None, json: JsonOption = False, home: HomeOption = None) -> None:
    """Say who the server takes one for, and what one is in which project."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        me = client.me()
    if json:
        print_json(me)
        return
    roles = [(f"In {each.name}", each.role or "-") for each in me.projects]
    kind = "administrator of the platform" if me.administrator else "user"
    print_fields([("Name", me.user.name), ("Id", me.user.id), ("Is", kind), *roles])


def _sign_in(client: "Cupola", name: str | None, password_stdin: bool) -> "SignedIn":
    label = f"cupola on {socket.gethostname()}"
    if name is not None:
        return client.sign_in.password(name, read_password(password_stdin), label)
    code = client.sign_in.start_device(label)
    link = code.verification_uri_complete or code.verification_uri
    typer.echo(f"Open {link} and confirm the code {code.user_code}", err=True)
    typer.echo("Waiting until somebody has; Ctrl-C gives up.", err=True)
    return client.sign_in.wait_device(code)


def _sign_out(client: "Cupola") -> None:
    from contextlib import suppress

    from cupola import sdk

    with suppress(sdk.Unauthenticated):  # it has ended already
        client.sign_in.sign_out()


def read_password(from_input: bool, *, confirm: bool = False) -> str:
    """From standard input, for programs; else asked for, without showing it."""
    import sys

    if from_input:
        return sys.stdin.readline().rstrip("\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return password
