"""`cupola subscriptions`: which models' offers a project has accepted."""

import typer

from cupola.cli.options import HomeOption, JsonOption, ProjectOption, ServerOption
from cupola.cli.output import print_json, print_table, spell_time

app = typer.Typer(help="Offers of models that the project has accepted.", no_args_is_help=True)


@app.command("accept")
def accept(
    model: str,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Accept a model's terms and prices for the project. Once is enough."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        accepted = client.subscriptions.accept(model)
    if json:
        print_json(accepted)
        return
    print(f"The project {client.project} has accepted the offer of {accepted.model}.")
    print(f"Terms: {accepted.license}, {accepted.terms}")


@app.command("list")
def list_subscriptions(
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List what the project has accepted, as it was then."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        found = [*client.subscriptions.list()]
    if json:
        print_json(found)
        return
    print_table(
        ["MODEL", "LICENSE", "INPUT", "OUTPUT", "ACCEPTED", "BY"],
        [
            [
                each.model,
                each.license,
                each.price_input,
                each.price_output,
                spell_time(each.accepted),
                each.accepted_by,
            ]
            for each in found
        ],
    )
