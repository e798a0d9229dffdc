"""Records as CSV and as lines of JSON, piece by piece: however many they are, memory stays flat.

Costs are exact decimal numbers as text; times are ISO 8601 in UTC, to the millisecond.
"""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
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
_read_texts: Final = attrgetter(
    *(name for name in COLUMNS if UsageRecord.__annotations__[name] is str)
)
_ODD: Final = re.compile(r'[",\r\n\t=+@]|\0-')
"""What CSV quotes, or spreadsheets may take for a formula, in texts with a NUL before each."""
_TIME, _COUNTED, _COST = map(COLUMNS.index, ("time", "counted", "cost"))
_JSON: Final = msgspec.json.Encoder()


async def export(records: AsyncIterator[UsageRecord], form: Format) -> AsyncIterator[bytes]:
    """The bytes of an export, piece by piece."""
    if form is Format.CSV:
        yield write_rows([COLUMNS])
    encode = _encode_csv if form is Format.CSV else _encode_json
    gathered: list[UsageRecord] = []
    async for record in records:
        gathered.append(record)
        if len(gathered) == _PIECE:
            yield encode(gathered)
            gathered = []
            await asyncio.sleep(0)  # a caller who reads fast would keep all others waiting
    if gathered:
        yield encode(gathered)


def write_rows(rows: Iterable[Iterable[object]]) -> bytes:
    """Lines of CSV in which no cell can be taken for a formula."""
    written = io.StringIO()
    lines = ([_cell(value) for value in row] for row in rows)
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue().encode()


def _encode_csv(records: Sequence[UsageRecord]) -> bytes:
    """As `write_rows` does, in a third of its time: names seldom need any care."""
    return "".join([_line(record) for record in records]).encode()


def _line(record: UsageRecord) -> str:
    if _ODD.search("\0".join(("", *_read_texts(record)))):
        return write_rows([_spell(record).values()]).decode()
    cells: list[object] = [*msgspec.structs.astuple(record)]
    cells[_TIME] = _spell_time(record.time)
    cells[_COUNTED] = "true" if record.counted else "false"
    cells[_COST] = format_amount(record.cost)
    texts = [x if type(x) is str else "" if x is None else str(x) for x in cells]
    return ",".join(texts) + "\r\n"


def _encode_json(records: Sequence[UsageRecord]) -> bytes:
    return b"".join([_JSON.encode(_spell(each)) + b"\n" for each in records])


def _spell(record: UsageRecord) -> dict[str, Any]:
    values = msgspec.structs.asdict(record)
    values["time"] = _spell_time(record.time)
    values["cost"] = format_amount(record.cost)
    return values


def _spell_time(seconds: float) -> str:
    second, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_spell_second(second)}.{micros // 1000:03}Z"


@lru_cache(maxsize=1024)
def _spell_second(second: int) -> str:
    """Records come by their time, so that the next has nearly always the same."""
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    # A spreadsheet would reckon with a name that begins like a formula.
    return f"'{value}" if value.startswith(_FORMULA) else value
