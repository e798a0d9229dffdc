"""Dataclasses as rows: fields and columns have the same names, so no store spells them again."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Row

T = TypeVar("T")


def write_row(value: object) -> dict[str, Any]:
    """The columns of a dataclass, for `insert` and `update`; what is nested is for JSON columns."""
    columns: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(bytes,))
    return columns


def read_row(row: Row[Any], into: type[T]) -> T:
    """A row as `into`, whose fields are among the columns."""
    return msgspec.convert({f"{name}": value for name, value in row._mapping.items()}, into)
