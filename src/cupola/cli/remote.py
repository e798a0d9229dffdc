"""The server that a command asks, and how it is let in.

server    --server, else CUPOLA_SERVER, else the one running on --home, else the one last signed
          in to, else the one running on this environment's home
token     CUPOLA_TOKEN, else that of `cupola login`, else, for a server on this machine's home,
          the console's, which only the home's owner can read
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cupola.cli.failure import NOT_ALLOWED, UNAVAILABLE, Failed, explain
from cupola.cli.profile import Profile, profile_file
from cupola.settings import ClientSettings, load_client_settings

if TYPE_CHECKING:
    from ssl import SSLContext

    from cupola.home import Home
    from cupola.sdk import Cupola


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and what lets one in."""

    url: str
    token: str | None
    certificate: str | None = None
    """The file of the authority to trust; None: those that the machine trusts."""
    pinned: str | None = None
    """The file of the server's very own certificate, if it runs on this machine."""


@contextmanager
def connect(
    server: str | None, home: Path | None, project: str | None = None
) -> "Iterator[Cupola]":
    """A client of the chosen server; what it raises becomes a command's failure."""
    settings = load_client_settings(server=server, project=project)
    target = find_target(settings, home)
    if target.token is None:
        raise Failed(
            f"You are not signed in to {target.url}. Run: cupola login --server {target.url}",
            NOT_ALLOWED,
        )
    with open_client(target, settings) as client:
        yield client


@contextmanager
def open_client(target: Target, settings: ClientSettings) -> "Iterator[Cupola]":
    """A client of `target`, signed in or not."""
    from cupola import sdk

    try:
        with sdk.Cupola(
            target.url,
            target.token,
            project=settings.project,
            timeout=settings.timeout,
            verify=_choose_trust(target, settings.ca_file),
        ) as client:
            yield client
    except sdk.CupolaError as error:
        raise explain(error) from error


def is_anywhere(server: str | None, home: Path | None) -> bool:
    """Whether there is a server to ask; without one, a command may read the home itself.

    One on this machine that lets nobody in by a file is none: it is older than that, or just
    starting, or another person's.
    """
    settings = load_client_settings(server=server)
    if find_remote(settings, home) is not None:
        return True
    local = find_local(settings, home)
    return local is not None and local.token is not None


def is_elsewhere(server: str | None, home: Path | None) -> bool:
    """Whether another machine's server was named or signed in to."""
    return find_remote(load_client_settings(server=server), home) is not None


def find_target(settings: ClientSettings, home: Path | None) -> Target:
    """Raises: Failed, if there is none."""
    target = find_remote(settings, home) or find_local(settings, home)
    if target is None:
        raise Failed(
            "No Cupola runs on this machine's home, and no server is chosen. Start one with "
            "`cupola up`, name one with --server, or sign in to one with `cupola login`.",
            UNAVAILABLE,
        )
    return target


def find_remote(settings: ClientSettings, home: Path | None) -> Target | None:
    """The server that was named, or signed in to; None: neither."""
    profile = Profile.read(profile_file())
    url = settings.server or (profile.current if home is None else None)
    if url is None:
        return None
    url = url.rstrip("/")
    token = settings.token or profile.tokens.get(url)
    certificate = profile.certificates.get(url)
    if token is None and (local := find_local(settings, home)) and local.url == url:
        return local
    return Target(url, token, certificate)


def find_local(settings: ClientSettings, home: Path | None) -> Target | None:
    """The server that runs on the home; None: none does."""
    from cupola.home import Home
    from cupola.settings import load_settings

    place = Home(load_settings(home=home).home)
    server = place.find_server()
    if server is None:
        return None
    token = settings.token or _read_console_token(place)
    return Target(server.url, token, pinned=server.certificate)


def _choose_trust(target: Target, chosen: str | None) -> "SSLContext | str | bool":
    """Raises: Failed, if the file of a certificate cannot be read."""
    from cupola.http.trust import pin

    if chosen is None and target.pinned is not None:
        return pin(target.pinned)
    certificate = chosen or target.certificate
    if certificate is not None and not Path(certificate).is_file():
        raise Failed(f"There is no file {certificate} with the certificate of the server.")
    return certificate or True


def _read_console_token(home: "Home") -> str | None:
    try:
        return (home.run / "console.token").read_text().strip() or None
    except (FileNotFoundError, PermissionError):
        return None
