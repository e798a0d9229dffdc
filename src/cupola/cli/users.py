"""`cupola users`: people who may sign in; for administrators."""

from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from cupola.sdk import User

app = typer.Typer(help="People who may sign in; for administrators.", no_args_is_help=True)

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="A user's name or id.")]
PasswordInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command("list")
def list_users(
    json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """List everyone."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        users = [*client.users.list()]
    if json:
        print_json(users)
        return
    print_table(
        ["NAME", "ORIGIN", "ADMINISTRATOR", "STATE", "ID"],
        [
            [each.name, each.origin, _yes(each.administrator), _state(each), each.id]
            for each in users
        ],
    )


@app.command("show")
def show_user(
    user: UserArgument,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Show one."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        _show(client.users.get(user), json)


@app.command("create")
def create_user(
    name: str,
    administrator: Annotated[
        bool, typer.Option("--administrator", help="May do everything everywhere.")
    ] = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="They cannot sign in until they have one.")
    ] = False,
    password_stdin: PasswordInput = False,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Make a local account; its password is asked for."""
    from cupola.cli.login import read_password
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        password = None if no_password else read_password(password_stdin, confirm=True)
        _show(client.users.create(name, password=password, administrator=administrator), json)


@app.command("set-password")
def set_password(
    user: UserArgument,
    password_stdin: PasswordInput = False,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Give a local account another password."""
    from cupola.cli.login import read_password
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        password = read_password(password_stdin, confirm=True)
        _show(client.users.update(user, password=password), json)


@app.command("update")
def update_user(
    user: UserArgument,
    administrator: Annotated[
        bool | None, typer.Option("--administrator/--no-administrator", help="Of the platform.")
    ] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="A disabled user is nobody at once.")
    ] = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Change what a user may do."""
    from cupola.cli.remote import connect

    if (administrator, disabled) == (None, None):
        raise typer.BadParameter(
            "Say what to change: --administrator, --disable or their opposites."
        )
    with connect(server, home) as client:
        _show(client.users.update(user, administrator=administrator, disabled=disabled), json)


def _show(user: "User", json: bool) -> None:
    if json:
        print_json(user)
        return
    print_fields(
        [
            ("Name", user.name),
            ("Id", user.id),
            ("Origin", user.origin),
            ("Administrator", _yes(user.administrator)),
            ("State", _state(user)),
        ]
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _state(user: "User") -> str:
    return "disabled" if user.disabled else "enabled"
