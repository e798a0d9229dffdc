"""`cupola budgets`: what may be spent, and the warnings about it."""

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption, ProjectOption, ServerOption
from cupola.cli.output import print_done, print_json, print_table, spell_time

if TYPE_CHECKING:
    from cupola.sdk import Budget

app = typer.Typer(help="What may be spent, and the warnings about it.", no_args_is_help=True)


class Period(StrEnum):
    """When counting begins anew, in UTC."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


@app.command("list")
def list_budgets(
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the project's budgets, and how each stands."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        found = [*client.budgets.list()]
    print_json(found) if json else _print(found)


@app.command("set")
def set_budget(
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Replace this one; else make one.")
    ] = None,
    amount: Annotated[str | None, typer.Option("--amount", metavar="X", help="As 100.")] = None,
    currency: Annotated[str | None, typer.Option("--currency", metavar="EUR")] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", metavar="N", min=1)] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="E", help="Of this alone.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="ID", help="Of this project key alone.")
    ] = None,
    period: Annotated[Period, typer.Option("--period")] = Period.MONTH,
    warn: Annotated[
        list[int] | None,
        typer.Option("--warn", metavar="P", help="Per cent (default: 80 and 100); repeatable."),
    ] = None,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Refuse requests once all is spent.")
    ] = False,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Where warnings are posted.")
    ] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Make a budget of money (--amount and --currency) or of --tokens, or replace one."""
    from cupola.cli.remote import connect

    if endpoint is not None and key is not None:
        raise typer.BadParameter("Name an endpoint or a key, not both.")
    with connect(server, home, project) as client:
        write = client.budgets.create if id is None else partial(client.budgets.replace, id)
        made = write(
            amount=amount,
            currency=currency,
            tokens=tokens,
            scope="endpoint" if endpoint else "key" if key else "project",
            subject=endpoint or key,
            period=period.value,
            warn=sorted({*(warn or (80, 100))}),
            refuse=refuse,
            webhook=webhook,
        )
    print_json(made) if json else _print([made])


@app.command("delete")
def delete_budget(
    id: Annotated[str, typer.Argument(metavar="ID")],
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Forget a budget; its warnings stay."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        client.budgets.delete(id)
    print_done(json, id, "deleted", f"The budget {id} is deleted.")


@app.command("notices")
def list_notices(
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """List the warnings that were given, newest first."""
    from cupola.cli.remote import connect

    with connect(server, home, project) as client:
        found = [*client.budgets.list_notices()]
    if json:
        print_json(found)
        return
    print_table(
        ["TIME", "BUDGET", "REACHED", "SPENT", "OF", "DELIVERED", "FAILURE"],
        [
            [
                spell_time(each.created),
                each.budget,
                f"{each.share} %",
                str(each.message.get("spent", "-")),
                str(each.message.get("amount", "-")),
                spell_time(each.delivered),
                each.failure or "-",
            ]
            for each in found
        ],
    )


def _print(budgets: "list[Budget]") -> None:
    print_table(
        ["ID", "OF", "PERIOD", "BUDGET", "SPENT", "SHARE", "AT 100 %"],
        [
            [
                each.id,
                each.scope if each.scope == "project" else f"{each.scope} {each.subject}",
                each.period,
                _spell(each, each.amount, each.tokens),
                _spell(each, each.spent_amount, each.spent_tokens),
                f"{each.share} %",
                "refuses" if each.refuse else "warns",
            ]
            for each in budgets
        ],
    )


def _spell(budget: "Budget", amount: str | None, tokens: int | None) -> str:
    return f"{amount} {budget.currency}" if amount is not None else f"{tokens or 0:,} tokens"
