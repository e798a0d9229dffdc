"""`cupola limits`: what a project, an endpoint or a key may use."""

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from cupola.cli.options import HomeOption, JsonOption, ProjectOption, ServerOption
from cupola.cli.output import print_done, print_fields, print_json

if TYPE_CHECKING:
    from cupola.sdk import AllLimits

app = typer.Typer(help="What a project, an endpoint or a key may use.", no_args_is_help=True)

_NONE: Final = "none"
_OWN_KEYS: Final = ("primary", "secondary")
_NAMES: Final = {
    "requests_per_minute": "Requests per minute",
    "tokens_per_minute": "Tokens per minute",
    "concurrent_requests": "Requests at once",
    "tokens_per_day": "Tokens per day (UTC)",
    "tokens_per_month": "Tokens per month (UTC)",
    "money_per_month": "Money per month (UTC)",
}
SubjectArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="[ENDPOINT]", help="Of this endpoint; left out: of the project."),
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="ID",
        help="Of this project key; with ENDPOINT: of its key `primary` or `secondary`.",
    ),
]


@app.command("show")
def show(
    endpoint: SubjectArgument = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Show the limits of the project, of an endpoint or of a key."""
    from cupola.cli.remote import connect

    _check_subject(endpoint, key)
    with connect(server, home, project) as client:
        _show(client.limits.get(endpoint=endpoint, key=key), json)


@app.command("set")
def set_limits(
    endpoint: SubjectArgument = None,
    key: KeyOption = None,
    rpm: Annotated[str | None, typer.Option("--rpm", metavar="N")] = None,
    tpm: Annotated[str | None, typer.Option("--tpm", metavar="N")] = None,
    concurrency: Annotated[str | None, typer.Option("--concurrency", metavar="N")] = None,
    tokens_per_day: Annotated[str | None, typer.Option("--tokens-per-day", metavar="N")] = None,
    tokens_per_month: Annotated[str | None, typer.Option("--tokens-per-month", metavar="N")] = None,
    money_per_month: Annotated[
        str | None, typer.Option("--money-per-month", metavar="X", help="As 12.50.")
    ] = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Change the limits that are given, and keep the others; `none` takes one away."""
    from cupola.cli.remote import connect

    _check_subject(endpoint, key)
    changes = {
        "requests_per_minute": _read("--rpm", rpm),
        "tokens_per_minute": _read("--tpm", tpm),
        "concurrent_requests": _read("--concurrency", concurrency),
        "tokens_per_day": _read("--tokens-per-day", tokens_per_day),
        "tokens_per_month": _read("--tokens-per-month", tokens_per_month),
        "money_per_month": money_per_month,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        raise typer.BadParameter("Say which limits: --rpm N, --tpm N, ...; see --help.")
    with connect(server, home, project) as client:
        known = client.limits.get(endpoint=endpoint, key=key)
        wanted: dict[str, Any] = {name: getattr(known, name) for name in _NAMES} | given
        wanted = {name: None if each == _NONE else each for name, each in wanted.items()}
        _show(client.limits.put(**wanted, endpoint=endpoint, key=key), json)


@app.command("clear")
def clear(
    endpoint: SubjectArgument = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Take all limits away; an endpoint gets those that its kind has when it is made."""
    from cupola.cli.remote import connect

    _check_subject(endpoint, key)
    with connect(server, home, project) as client:
        client.limits.delete(endpoint=endpoint, key=key)
        name = "/".join(each for each in (endpoint, key) if each) or client.project
    print_done(json, name, "removed", f"{name} has no limits of its own any more.")


def _check_subject(endpoint: str | None, key: str | None) -> None:
    if endpoint is not None and key not in (None, *_OWN_KEYS):
        raise typer.BadParameter(
            "An endpoint's own keys are 'primary' and 'secondary'. For a project key leave the "
            "endpoint out."
        )
    if endpoint is None and key in _OWN_KEYS:
        raise typer.BadParameter(f"Name the endpoint, too, whose key {key!r} it is.")


def _read(option: str, text: str | None) -> int | str | None:
    if text is None or text == _NONE:
        return text
    if not text.isdecimal():
        raise typer.BadParameter(f"{option} takes a whole number or {_NONE}, not {text!r}.")
    return int(text)


def _show(limits: "AllLimits", json: bool) -> None:
    if json:
        print_json(limits)
        return
    values = {each.name: getattr(limits, each.name) for each in fields(limits)}
    print_fields(
        [
            (limits.scope.capitalize(), limits.subject),
            *((title, _spell(values[name])) for name, title in _NAMES.items()),
        ]
    )


def _spell(value: int | str | None) -> str:
    if value is None:
        return "no limit"
    return f"{value:,}" if isinstance(value, int) else value
