"""Records as CSV and as lines of JSON, piece by piece: however many they are, memory stays flat.

Costs are exact decimal numbers as text; times are ISO 8601 in UTC, to the millisecond.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from cupola.kit.money import format_amount
from cupola.metering.model import UsageRecord

_PIECE: Final = 200
"""Records handed over together."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """What an export is written in."""

    CSV = "csv"
    JSON = "jsonl"


COLUMNS: Final = UsageRecord.__struct_fields__


async def export(records: AsyncIterator[UsageRecord], form: Format) -> AsyncIterator[bytes]:
    """The bytes of an export, piece by piece."""
    if form is Format.CSV:
        yield write_rows([COLUMNS])
    gathered: list[UsageRecord] = []
    async for record in records:
        gathered.append(record)
        if len(gathered) == _PIECE:
            yield _encode(gathered, form)
            gathered = []
    if gathered:
        yield _encode(gathered, form)


def write_rows(rows: Iterable[Iterable[object]]) -> bytes:
    """Lines of CSV in which no cell can be taken for a formula."""
    written = io.StringIO()
    lines = ([_cell(value) for value in row] for row in rows)
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue().encode()


def _encode(records: list[UsageRecord], form: Format) -> bytes:
    if form is Format.CSV:
        return write_rows(_spell(record).values() for record in records)
    return b"".join(msgspec.json.encode(_spell(record)) + b"\n" for record in records)


def _spell(record: UsageRecord) -> dict[str, Any]:
    time = datetime.fromtimestamp(record.time, UTC).isoformat(timespec="milliseconds")
    values = msgspec.structs.asdict(record)
    values["time"] = time.replace("+00:00", "Z")
    values["cost"] = format_amount(record.cost)
    return values


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    # A spreadsheet would reckon with a name that begins like a formula.
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
