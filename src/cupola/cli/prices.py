"""`cupola prices`: what tokens and instances cost."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ServerOption
from cupola.cli.output import print_json, print_table, spell_time

if TYPE_CHECKING:
    from cupola.sdk import Cupola, Price

app = typer.Typer(help="What tokens and instances cost.", no_args_is_help=True)


@app.command("list")
def list_prices(
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were, and those to come.")
    ] = False,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the prices that hold now."""
    from cupola.cli.remote import connect

    with connect(server, home) as client:
        prices = [*client.prices.list(current=not every)]
    if json:
        print_json(prices)
    else:
        _print(prices)


@app.command("set")
def set_price(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]")] = None,
    instance_type: Annotated[
        str | None, typer.Option("--instance-type", metavar="T", help="Of this instead.")
    ] = None,
    input: Annotated[
        str | None, typer.Option("--input", metavar="X", help="Of 1,000 tokens of prompts.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="X", help="Of 1,000 tokens of completions.")
    ] = None,
    hour: Annotated[
        str | None, typer.Option("--hour", metavar="X", help="Of an hour of one instance.")
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option("--currency", metavar="EUR", help="Default: that of the other prices."),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", metavar="TIME", help="When it begins (default: now)."),
    ] = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Set a price, from now or from a later moment on. What was used before keeps its own.

    For administrators."""
    from cupola.cli.remote import connect

    if (model is None) == (instance_type is None):
        raise typer.BadParameter("Name a model, or an instance type with --instance-type.")
    begin = None if start is None else start.astimezone()
    with connect(server, home) as client:
        if instance_type is not None:
            if hour is None or input is not None or output is not None:
                raise typer.BadParameter("An instance type has a price by --hour, and no other.")
            known = currency or _find_currency(client)
            made = client.prices.set_instance_type(
                instance_type, hour=hour, currency=known, valid_from=begin
            )
        else:
            if input is None or output is None or hour is not None:
                raise typer.BadParameter("A model has prices by --input and --output, both.")
            known = currency or _find_currency(client)
            made = client.prices.set_model(
                model or "", input=input, output=output, currency=known, valid_from=begin
            )
    print_json(made) if json else _print([made])


def _find_currency(client: "Cupola") -> str:
    """Raises: BadParameter, if the prices there are do not tell."""
    known = sorted({price.currency for price in client.prices.list()})
    if len(known) == 1:
        return known[0]
    said = f"There are prices in {' and '.join(known)}" if known else "There is no price yet"
    raise typer.BadParameter(f"{said}: say which with --currency, as EUR.")


def _print(prices: "list[Price]") -> None:
    print_table(
        ["KIND", "NAME", "INPUT", "OUTPUT", "HOUR", "CURRENCY", "FROM", "NOW"],
        [
            [
                each.kind.replace("_", " "),
                each.name,
                each.input or "-",
                each.output or "-",
                each.hour or "-",
                each.currency,
                spell_time(each.valid_from),
                "yes" if each.current else "no",
            ]
            for each in prices
        ],
    )
