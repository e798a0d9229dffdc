"""Dataclasses as rows: fields and columns have the same names, so no store spells them again."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import JSON, ColumnElement, Row, Table, Text, cast

T = TypeVar("T")


def write_row(value: object) -> dict[str, Any]:
    """The columns of a dataclass, for `insert` and `update`; what is nested is for JSON columns."""
    columns: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(bytes,))
    return columns


def read_row(row: Row[Any], into: type[T]) -> T:
    """A row as `into`, whose fields are among the columns."""
    return msgspec.convert({f"{name}": value for name, value in row._mapping.items()}, into)


class Remembered(Generic[T]):
    """Rows of a table as `into`; one that is the same to the letter is the same object again.

    For tables that are read as a whole whenever anything in the database changes: only what is new
    is decoded and checked, which takes ten times as long as reading. And whoever compares what was
    read with what was read before compares the same objects, which takes no time.

    What is read must never be changed, nor what is in it.
    """

    def __init__(self, table: Table, into: type[T]) -> None:
        self._into = into
        self._names = [f"{column.name}" for column in table.columns]
        self._nested = {f"{each.name}" for each in table.columns if isinstance(each.type, JSON)}
        self.columns: list[ColumnElement[Any]] = [
            cast(each, Text).label(each.name) if each.name in self._nested else each
            for each in table.columns
        ]
        """What to select, and nothing else, for `read`: JSON as text."""
        self._known: dict[tuple[Any, ...], T] = {}

    def read(self, rows: Iterable[Row[Any]], *, whole: bool = False) -> list[T]:
        """The rows, in their order.

        Args:
            whole: They are all that the table has; what is not among them is forgotten.
        """
        found = {}
        for row in rows:
            raw = tuple(row)
            known = self._known.get(raw)
            found[raw] = self._make(raw) if known is None else known
        if whole:
            self._known = found
        else:
            self._known.update(found)
        return list(found.values())

    def _make(self, raw: tuple[Any, ...]) -> T:
        fields = dict(zip(self._names, raw, strict=True))
        for name in self._nested:
            if fields[name] is not None:
                fields[name] = msgspec.json.decode(fields[name])
        return msgspec.convert(fields, self._into)
