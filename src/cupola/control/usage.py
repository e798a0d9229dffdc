"""`/usage`, `/cost` and the records behind them, of the platform and of a project.

What is asked for is known before the first byte of the reply: a fault is a refusal, and no reply
that breaks off. Reports are sent row by row, records page by page as they are read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from cupola.control.authority import Administrator, Readable
from cupola.control.period import AnyPeriod, Period
from cupola.control.services import Parts, Services
from cupola.control.shapes import Amount, Line, Time, Told, when
from cupola.kit.money import format_amount
from cupola.metering import usage as ledger
from cupola.metering.export import Format, export, write_rows
from cupola.metering.model import HOUR
from cupola.metering.usage import TIMES, Dimension, Sums, UsageRow, align, merge

router = APIRouter(tags=["usage"])

_JSON: Final = msgspec.json.Encoder()
_PIECE: Final = 200
"""Rows that are written together."""
_MOST_VALUES: Final = 100


class ReportFormat(StrEnum):
    """What a report is written in."""

    JSON = "json"
    CSV = "csv"


class UsageLine(Told):
    """What one group used."""

    group: dict[str, str] = Field(
        description="A value for each thing that it is grouped by.",
        examples=[{"day": "2026-11-21", "model": "Cupola-Pilot"}],
    )
    requests: int
    failures: int = Field(description="Of the requests: without a reply, or with 400 and above.")
    input_tokens: int
    cached_tokens: int = Field(description="Of the input tokens: read before.")
    output_tokens: int
    core_seconds: int = Field(description="Of instances of managed deployments.")
    core_hours: float = Field(description="The same in hours, rounded.")


class CostLine(Told):
    """What one group cost in one currency."""

    group: dict[str, str] = Field(
        description="A value for each thing that it is grouped by.",
        examples=[{"day": "2026-11-21", "model": "Cupola-Pilot"}],
    )
    currency: str
    cost: Amount


class _Report(Told):
    """What both reports begin with."""

    start: Time = Field(description="A full hour of UTC.")
    end: Time = Field(description="The same; exclusive.")
    by: list[Dimension]


class UsageReport(_Report):
    """Usage by groups, in their order."""

    items: list[UsageLine]


class CostReport(_Report):
    """Cost by groups, in their order; what had no price is not in it."""

    items: list[CostLine]


Values = Annotated[list[Line] | None, Query(max_length=_MOST_VALUES)]


def _read_filters(
    endpoint: Values = None,
    deployment: Values = None,
    model: Values = None,
    key: Values = None,
    kind: Values = None,
) -> Mapping[Dimension, frozenset[str]]:
    """Only what has one of these values."""
    given = {
        Dimension.ENDPOINT: endpoint,
        Dimension.DEPLOYMENT: deployment,
        Dimension.MODEL: model,
        Dimension.KEY: key,
        Dimension.KIND: kind,
    }
    return {name: frozenset(values) for name, values in given.items() if values}


Filters = Annotated[Mapping[Dimension, frozenset[str]], Depends(_read_filters)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A report as it is asked for."""

    period: Period
    by: tuple[Dimension, ...]
    where: Mapping[Dimension, frozenset[str]]
    form: ReportFormat


def _read_asked(
    period: AnyPeriod,
    where: Filters,
    by: Annotated[
        list[Dimension] | None,
        Query(max_length=len(Dimension), description="What to group by, in this order."),
    ] = None,
    form: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.JSON,
) -> _Asked:
    return _Asked(period, tuple(by or ()), where, form)


Asked = Annotated[_Asked, Depends(_read_asked)]


def _describe(model: type[Told]) -> dict[int | str, dict[str, Any]]:
    text = {"schema": {"type": "string"}}
    return {200: {"model": model, "content": {"text/csv": text}}}


@router.get(
    "/usage",
    summary="What was used, in all projects",
    response_class=StreamingResponse,
    responses=_describe(UsageReport),
)
async def show_usage(
    by: Administrator, asked: Asked, services: Parts, project: Values = None
) -> StreamingResponse:
    return await _report(services, asked, _choose(project), _USAGE)


@router.get(
    "/cost",
    summary="What it cost, in all projects",
    response_class=StreamingResponse,
    responses=_describe(CostReport),
)
async def show_cost(
    by: Administrator, asked: Asked, services: Parts, project: Values = None
) -> StreamingResponse:
    return await _report(services, asked, _choose(project), _COST)


@router.get(
    "/projects/{project}/usage",
    summary="What the project used",
    response_class=StreamingResponse,
    responses=_describe(UsageReport),
)
async def show_usage_of_project(
    project: Readable, asked: Asked, services: Parts
) -> StreamingResponse:
    return await _report(services, asked, _choose([project.name]), _USAGE)


@router.get(
    "/projects/{project}/cost",
    summary="What the project cost",
    response_class=StreamingResponse,
    responses=_describe(CostReport),
)
async def show_cost_of_project(
    project: Readable, asked: Asked, services: Parts
) -> StreamingResponse:
    return await _report(services, asked, _choose([project.name]), _COST)


_LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        }
    }
}
LineFormat = Annotated[Format, Query(alias="format")]


@router.get(
    "/records",
    summary="Export the ledger's records, of all projects",
    response_class=StreamingResponse,
    responses=_LINES,
)
async def export_all_records(
    by: Administrator,
    period: AnyPeriod,
    where: Filters,
    services: Parts,
    project: Values = None,
    form: LineFormat = Format.JSON,
) -> StreamingResponse:
    """One line a request, oldest first, however many there are."""
    return _export(services, period, {**where, **_choose(project)}, form, "records")


@router.get(
    "/projects/{project}/records",
    summary="Export the ledger's records",
    response_class=StreamingResponse,
    responses=_LINES,
)
async def export_records(
    project: Readable,
    period: AnyPeriod,
    where: Filters,
    services: Parts,
    form: LineFormat = Format.JSON,
) -> StreamingResponse:
    """One line a request, oldest first, however many there are."""
    chosen = {**where, **_choose([project.name])}
    return _export(services, period, chosen, form, f"{project.name}-records")


def _export(
    services: Services,
    period: Period,
    where: Mapping[Dimension, frozenset[str]],
    form: Format,
    name: str,
) -> StreamingResponse:
    records = services.usage.iter_records(period.start, period.end, where)
    kind = "text/csv" if form is Format.CSV else "application/x-ndjson"
    return StreamingResponse(
        export(records, form), media_type=kind, headers=_offer(f"{name}.{form}")
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """Which report."""

    name: str
    columns: Sequence[str]
    tell: Callable[[UsageRow], Sequence[object]]
    choose: Callable[[Sequence[UsageRow]], Sequence[UsageRow]]


def _tell_usage(row: UsageRow) -> Sequence[object]:
    sums: Sums = row.sums
    return (
        sums.requests,
        sums.failures,
        sums.prompt,
        sums.cached,
        sums.completion,
        sums.core_seconds,
        round(sums.core_seconds / HOUR, 4),
    )


def _join_currencies(rows: Sequence[UsageRow]) -> Sequence[UsageRow]:
    if len({row.group for row in rows}) == len(rows):
        return rows
    return merge(UsageRow(row.group, "", row.sums) for row in rows)


_USAGE: Final = _Kind(
    "usage",
    [name for name in UsageLine.model_fields if name != "group"],
    _tell_usage,
    _join_currencies,
)
_COST: Final = _Kind(
    "cost",
    ["currency", "cost"],
    lambda row: (row.currency, format_amount(row.sums.cost)),
    lambda rows: [row for row in rows if row.currency],
)


async def _report(
    services: Services, asked: _Asked, projects: Mapping[Dimension, frozenset[str]], kind: _Kind
) -> StreamingResponse:
    start, end = align(asked.period.start, asked.period.end)
    query = ledger.Query(start, end, asked.by, {**asked.where, **projects})
    rows = kind.choose(await services.usage.report(query))
    if asked.form is ReportFormat.CSV:
        return StreamingResponse(
            _write_csv(query, rows, kind), media_type="text/csv", headers=_offer(f"{kind.name}.csv")
        )
    return StreamingResponse(_write_json(query, rows, kind), media_type="application/json")


async def _write_csv(
    query: ledger.Query, rows: Sequence[UsageRow], kind: _Kind
) -> AsyncIterator[bytes]:
    yield write_rows([[*query.by, *kind.columns]])
    for place in range(0, len(rows), _PIECE):
        yield write_rows(
            [*_name(query, row), *kind.tell(row)] for row in rows[place : place + _PIECE]
        )
        await asyncio.sleep(0)  # a long report must not keep requests waiting


async def _write_json(
    query: ledger.Query, rows: Sequence[UsageRow], kind: _Kind
) -> AsyncIterator[bytes]:
    """As `UsageReport` or `CostReport` has it, but never whole in memory."""
    head = _Report(start=when(query.start), end=when(query.end), by=[*query.by])
    yield head.model_dump_json()[:-1].encode() + b',"items":['
    for place in range(0, len(rows), _PIECE):
        lines = [
            _JSON.encode(
                {
                    "group": dict(zip(query.by, _name(query, row), strict=True)),
                    **dict(zip(kind.columns, kind.tell(row), strict=True)),
                }
            )
            for row in rows[place : place + _PIECE]
        ]
        yield (b"," if place else b"") + b",".join(lines)
        await asyncio.sleep(0)
    yield b"]}"


def _name(query: ledger.Query, row: UsageRow) -> Sequence[str]:
    """The group's values as text: days as `2026-11-21`, hours as `2026-11-21T20:00:00Z`."""
    return [
        _spell(by, int(value)) if by in TIMES else str(value)
        for by, value in zip(query.by, row.group, strict=True)
    ]


@lru_cache(maxsize=10_000)
def _spell(by: Dimension, start: int) -> str:
    return when(start).strftime("%Y-%m-%d" if by is Dimension.DAY else "%Y-%m-%dT%H:%M:%SZ")


def _choose(projects: Sequence[str] | None) -> Mapping[Dimension, frozenset[str]]:
    return {Dimension.PROJECT: frozenset(projects)} if projects else {}


def _offer(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
