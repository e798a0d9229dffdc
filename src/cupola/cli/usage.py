"""`cupola usage`, `cupola cost`: what was used, and what it cost."""

import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cupola.cli.options import HomeOption, JsonOption, ProjectOption, ServerOption
from cupola.cli.output import print_json

if TYPE_CHECKING:
    from cupola.cli.report import Report, Row
    from cupola.sdk import CostReport, Cupola, UsageReport


class By(StrEnum):
    """What reports may be grouped by."""

    HOUR = "hour"
    DAY = "day"
    PROJECT = "project"
    MODEL = "model"
    ENDPOINT = "endpoint"
    DEPLOYMENT = "deployment"
    KEY = "key"
    KIND = "kind"


_TIMES: Final = frozenset({By.HOUR, By.DAY})

ByOption: TypeAlias = Annotated[
    list[By] | None,
    typer.Option("--by", help="What to group by (default: model); may be repeated."),
]
SinceOption: TypeAlias = Annotated[
    str | None, typer.Option("--since", metavar="7d", help="So many hours, days or weeks: 24h.")
]
FromOption: TypeAlias = Annotated[
    datetime | None, typer.Option("--from", metavar="TIME", help="Instead, as 2027-01-31.")
]
ToOption: TypeAlias = Annotated[
    datetime | None, typer.Option("--to", metavar="TIME", help="The end (default: now).")
]
AllOption: TypeAlias = Annotated[
    bool, typer.Option("--all", help="Of all projects; for administrators.")
]
CsvOption: TypeAlias = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
PlotOption: TypeAlias = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw it: FILE.svg or FILE.png.")
]
RecordsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--records", help="Each request's record instead: a line of JSON, or of --csv, each."
    ),
]
EndpointsOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--endpoint", metavar="E", help="Only of this; repeatable.")
]
ModelsOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--model", metavar="M", help="Only of this; repeatable.")
]
KeysOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--key", metavar="ID", help="Only of this; repeatable.")
]


def usage(
    by: ByOption = None,
    since: SinceOption = None,
    start: FromOption = None,
    end: ToOption = None,
    endpoint: EndpointsOption = None,
    model: ModelsOption = None,
    key: KeysOption = None,
    everywhere: AllOption = False,
    records: RecordsOption = False,
    csv: CsvOption = False,
    plot: PlotOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """Requests, input tokens, output tokens and core hours, with bars."""
    from cupola.cli.remote import connect

    _check_forms(json, csv)
    if records:
        if by or plot is not None:
            raise typer.BadParameter("--records go without --by and --plot.")
        with connect(server, home, project) as client:
            whose = None if everywhere else client.project
            _print_records(client, whose, csv, since, start, end, _choose(endpoint, model, key))
        return
    names = [each.value for each in by or [By.MODEL]]
    with connect(server, home, project) as client:
        found = client.usage.report(
            names,
            since=since,
            start=_aware(start),
            end=_aware(end),
            where=_choose(endpoint, model, key),
            project=_choose_project(client, by, project, everywhere),
        )
    if json:
        print_json(found)
    elif csv:
        rows = [[*line.group.values(), *_count(line)] for line in found.items]
        _print_csv([*found.by, *_COUNTS], rows)
    if plot is not None or not (json or csv):
        _show(_read_usage(found), plot, silent=json or csv)


def cost(
    by: ByOption = None,
    since: SinceOption = None,
    start: FromOption = None,
    end: ToOption = None,
    endpoint: EndpointsOption = None,
    model: ModelsOption = None,
    key: KeysOption = None,
    everywhere: AllOption = False,
    csv: CsvOption = False,
    plot: PlotOption = None,
    project: ProjectOption = None,
    json: JsonOption = False,
    server: ServerOption = None,
    home: HomeOption = None,
) -> None:
    """What it cost, with bars; each currency by itself."""
    from cupola.cli.remote import connect

    _check_forms(json, csv)
    names = [each.value for each in by or [By.MODEL]]
    with connect(server, home, project) as client:
        found = client.usage.cost(
            names,
            since=since,
            start=_aware(start),
            end=_aware(end),
            where=_choose(endpoint, model, key),
            project=_choose_project(client, by, project, everywhere),
        )
    if json:
        print_json(found)
    elif csv:
        rows = [[*line.group.values(), line.currency, line.cost] for line in found.items]
        _print_csv([*found.by, "currency", "cost"], rows)
    if plot is not None or not (json or csv):
        _show(_read_cost(found), plot, silent=json or csv)


_COUNTS: Final = (
    "requests",
    "failures",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "core_seconds",
    "core_hours",
)
"""As the management API names them."""


def _count(line: object) -> Sequence[object]:
    return [getattr(line, name) for name in _COUNTS]


def _check_forms(json: bool, csv: bool) -> None:
    if json and csv:
        raise typer.BadParameter("Choose --json or --csv.")


def _choose(
    endpoint: list[str] | None, model: list[str] | None, key: list[str] | None
) -> dict[str, list[str]]:
    given = {"endpoint": endpoint, "model": model, "key": key}
    return {name: values for name, values in given.items() if values}


def _choose_project(
    client: "Cupola", by: list[By] | None, project: str | None, everywhere: bool
) -> str | None:
    """None: all. To compare projects one asks for all, unless one is named."""
    if everywhere or (project is None and By.PROJECT in (by or ())):
        return None
    return client.project


def _print_records(
    client: "Cupola",
    project: str | None,
    csv: bool,
    since: str | None,
    start: datetime | None,
    end: datetime | None,
    where: dict[str, list[str]],
) -> None:
    """As they arrive: however many they are, memory stays flat."""
    parts = client.usage.export_records(
        project,
        format="csv" if csv else "jsonl",
        since=since,
        start=_aware(start),
        end=_aware(end),
        where=where,
    )
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def _aware(time: datetime | None) -> datetime | None:
    """What is typed is local time."""
    return None if time is None else time.astimezone()


def _title(word: str, found: "UsageReport | CostReport") -> str:
    return f"{word} from {found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC"


def _read_usage(found: "UsageReport") -> "Report":
    from cupola.cli.report import Report, Row

    tokens = any(line.input_tokens + line.output_tokens for line in found.items)
    rows = [
        Row(
            [*line.group.values()],
            [
                f"{line.requests:,}",
                f"{line.input_tokens:,}",
                f"{line.output_tokens:,}",
                f"{line.core_hours:,.2f}",
            ],
            line.input_tokens + line.output_tokens if tokens else line.core_seconds,
        )
        for line in found.items
    ]
    columns = ["requests", "input tokens", "output tokens", "core hours"]
    measure = "input + output tokens" if tokens or not rows else "core hours"
    return Report(_title("Usage", found), found.by, columns, measure, _sort(found.by, rows))


def _read_cost(found: "CostReport") -> "Report":
    from cupola.cli.report import Report, Row
    from cupola.kit.money import parse_amount

    rows = [
        Row([*line.group.values()], [f"{line.cost} {line.currency}"], parse_amount(line.cost))
        for line in found.items
    ]
    return Report(_title("Cost", found), found.by, ["cost"], "cost", _sort(found.by, rows))


def _sort(by: "Sequence[str]", rows: "list[Row]") -> "list[Row]":
    """Times as they went by; all else with the largest first."""
    if _TIMES & {*by}:
        return rows
    return sorted(rows, key=lambda row: -row.measure)


def _show(report: "Report", file: Path | None, *, silent: bool) -> None:
    from cupola.cli.report import plot, print_report

    if not silent:
        print_report(report)
    if file is not None:
        plot(report, file)
        print(f"Drawn to {file}.", file=sys.stderr)


def _print_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from cupola.metering.export import write_rows

    sys.stdout.buffer.write(write_rows([header, *rows]))
