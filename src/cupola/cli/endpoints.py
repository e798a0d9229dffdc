"""`cupola endpoints`: the endpoints of this installation, whether it runs or not."""

import typer

from cupola.cli.options import HomeOption, JsonOption
from cupola.cli.output import print_fields, print_json, print_table

app = typer.Typer(help="The endpoints: what clients call.", no_args_is_help=True)


@app.command("list")
def list_endpoints(json: JsonOption = False, home: HomeOption = None) -> None:
    """List the endpoints. Keys are shown by `show` only."""
    from cupola.cli.installation import Installation

    summaries = Installation.open(home).list_endpoints()
    if json:
        print_json(summaries)
    elif summaries:
        print_table(
            ["NAME", "KIND", "MODEL", "STATE", "TARGET URI"],
            [[each.name, each.kind, each.model, each.state, each.target_uri] for each in summaries],
        )
    else:
        print("There is no endpoint yet. The first `cupola up` makes one.")


@app.command("show")
def show_endpoint(name: str, json: JsonOption = False, home: HomeOption = None) -> None:
    """Show one endpoint with its keys."""
    from cupola.cli.installation import Installation

    endpoint = Installation.open(home).get_endpoint(name)
    if json:
        print_json(endpoint)
        return
    print_fields(
        [
            ("Name", endpoint.name),
            ("Kind", endpoint.kind),
            ("Model", endpoint.model),
            ("State", endpoint.state),
            ("Target URI", endpoint.target_uri),
            ("Primary key", endpoint.primary_key),
            ("Secondary key", endpoint.secondary_key),
        ]
    )
