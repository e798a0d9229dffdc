"""`cupola tokens`: one's own sign-ins, and tokens for programs."""

from typing import Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_done, print_fields, print_json, print_table, spell_time

app = typer.Typer(help="Your sign-ins, and tokens for programs.", no_args_is_help=True)

_DAY = 24 * 3600
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", metavar="RIGHT", help="read, call, deploy, govern or administer; repeatable."
    ),
]
Days = Annotated[int | None, typer.Option("--days", metavar="N", min=1, help="How long it lives.")]


@app.command("create")
def create_token(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Where it is used.")],
    scope: Scopes = None,
    days: Days = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Make a token for CUPOLA_TOKEN, no wider than your own rights. It is shown once."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        made = client.sessions.create(
            label, scopes=scope or None, lifetime=days * _DAY if days else None
        )
    if json:
        print_json(made)
        return
    print_fields([("Token", made.token), ("Expires", spell_time(made.expires))])
    print("Keep it: it is not shown again.")


@app.command("list")
def list_tokens(
    json: JsonOption = False, server: ServerOption = None, home: HomeOption = None
) -> None:
    """List your sign-ins and tokens, newest first."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        found = [*client.sessions.list()]
    if json:
        print_json(found)
        return
    print_table(
        ["LABEL", "RIGHTS", "CREATED", "EXPIRES", "ID"],
        [
            [
                each.label,
                "yours" if each.scopes is None else ", ".join(each.scopes),
                spell_time(each.created),
                spell_time(each.expires),
                each.id,
            ]
            for each in found
        ],
    )


@app.command("delete")
def delete_token(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it.")],
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """End one of them; it is nobody's at once."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        client.sessions.delete(id)
    print_done(json, id, "deleted", f"{id} has ended.")
