"""`cupola keys`: the two keys of an endpoint."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import (
    EndpointArgument,
    HomeOption,
    JsonOption,
    ProjectOption,
    ServerOption,
)
from cupola.cli.output import print_fields, print_json

if TYPE_CHECKING:
    from cupola.sdk import KeyPair

app = typer.Typer(help="An endpoint's two keys; both work.", no_args_is_help=True)


class Slot(StrEnum):
    """Which of the two."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


@app.command("list")
def list_keys(
    endpoint: EndpointArgument,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Show both keys."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        _show(client.endpoints.get_keys(endpoint), json)


@app.command("regenerate")
def regenerate(
    endpoint: EndpointArgument,
    key: Annotated[Slot, typer.Option("--key", help="Which; the other keeps working.")],
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Replace one key: move callers to the other one first. The old one stops within a second."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        _show(client.endpoints.regenerate_key(endpoint, key.value), json)


def _show(pair: "KeyPair", json: bool) -> None:
    if json:
        print_json(pair)
    else:
        print_fields(
            [
                ("Primary key", pair.primary_key or "not shown to you"),
                ("Secondary key", pair.secondary_key or "not shown to you"),
            ]
        )
