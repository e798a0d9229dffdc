"""Printing for people and for programs."""

import json as _json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def print_json(value: "DataclassInstance | Sequence[DataclassInstance]") -> None:
    """One object, or a list of them; the fields are those of the dataclass, in its order."""
    plain: Any = [asdict(each) for each in value] if isinstance(value, Sequence) else asdict(value)
    print(_json.dumps(plain, indent=2, ensure_ascii=False, default=_write_value))


@dataclass(frozen=True, slots=True)
class Done:
    """What a command prints with `--json` that leaves nothing to show."""

    name: str
    status: str
    """`deleted` or `removed`."""


def print_done(json: bool, name: str, status: str, sentence: str) -> None:
    """Say that it is done, for people or for programs."""
    print_json(Done(name, status)) if json else print(sentence)


def spell_time(time: datetime | None) -> str:
    """As the management API writes it; `-` for none."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "-"


def _write_value(value: object) -> str:
    if isinstance(value, datetime):
        return spell_time(value)
    raise TypeError(f"{type(value)} has no form in JSON.")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns divided by two spaces and never cut, so that a cell can be copied whole."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """One `name  value` a line."""
    pairs = list(fields)
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        print(f"{name.ljust(width)}  {value}")
