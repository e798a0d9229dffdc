"""Fields of a request's body: how one JSON value is read, and how it is documented.

A dialect is a table from names to `Field`s; `wire.chat` reads a body by such a table, and the
OpenAPI document of an endpoint is written from the same table, so neither can forget the other.

Readers are lenient where clients are known to be sloppy (numbers and booleans as strings) and
raise `Malformed` in the vocabulary of pydantic's errors everywhere else. `null` never reaches a
reader: for every field it means "as if absent".
"""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from cupola.kit.errors import Malformed

Path: TypeAlias = tuple[str | int, ...]
Reader: TypeAlias = Callable[[Any, Path], Any]
Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One name that a body may have at its root."""

    into: str
    """The attribute of `ChatRequest` it fills; "" if it may only say what is so anyway."""
    read: Reader
    schema: Schema
    """JSON Schema, for the OpenAPI document."""
    option: bool = False
    """Whether `into` is an attribute of `Options`."""


UNCHANGED: Any = object()
"""What `neutral` readers give for a value that changes nothing."""


def number(lowest: float, highest: float) -> Reader:
    """Reads a finite number, also written as a string."""

    def read(value: Any, path: Path) -> float:
        number = _float(value, path)
        if number < lowest:
            raise _out_of_range(value, path, "greater_than_equal", "greater", "ge", lowest)
        if number > highest:
            raise _out_of_range(value, path, "less_than_equal", "less", "le", highest)
        return number

    return read


def integer(lowest: int, highest: int = 2**63 - 1) -> Reader:
    """Reads a whole number, also written as a string or as `1.0`."""

    def read(value: Any, path: Path) -> int:
        number = _int(value, path)
        if number < lowest:
            raise _out_of_range(value, path, "greater_than_equal", "greater", "ge", lowest)
        if number > highest:
            raise _out_of_range(value, path, "less_than_equal", "less", "le", highest)
        return number

    return read


def boolean(value: Any, path: Path) -> bool:
    """Reads true or false, also written as a string."""
    if type(value) is bool:
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Malformed("Input should be a valid boolean", code="bool_type", path=path, value=value)


def text(value: Any, path: Path) -> str:
    """Reads a string."""
    if type(value) is str:
        return value
    raise Malformed("Input should be a valid string", code="string_type", path=path, value=value)


def array(value: Any, path: Path) -> list[Any]:
    """Reads a list."""
    if type(value) is list:
        return value
    raise Malformed("Input should be a valid list", code="list_type", path=path, value=value)


def mapping(value: Any, path: Path) -> dict[str, Any]:
    """Reads an object."""
    if type(value) is dict:
        return value
    raise Malformed("Input should be a valid dictionary", code="dict_type", path=path, value=value)


def choice(value: Any, path: Path, *allowed: str) -> str:
    """Reads one of the strings `allowed`."""
    if type(value) is str and value in allowed:
        return value
    expected = _listed(allowed)
    raise Malformed(
        f"Input should be {expected}",
        code="enum",
        context={"expected": expected},
        path=path,
        value=value,
    )


def required(parent: Mapping[str, Any], name: str, path: Path) -> Any:
    """`parent[name]`, which must be there."""
    if name in parent:
        return parent[name]
    raise Malformed("Field required", code="missing", path=(*path, name), value={})


def neutral(*values: object) -> Reader:
    """Accepts the `values` that ask for nothing; any other is kept, to be refused by `check`."""

    def read(value: Any, path: Path) -> Any:
        # `True == 1` in Python, and `logprobs: 0` does not ask for anything either.
        return UNCHANGED if value in values else value

    return read


def ignored(value: Any, path: Path) -> Any:
    """Accepts anything: the field says something about the caller, not about the reply."""
    return UNCHANGED


def _float(value: Any, path: Path) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value) if abs(value) < 2**1023 else math.inf * (1 if value > 0 else -1)
    if type(value) is str:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
        raise Malformed(
            "Input should be a valid number, unable to parse string as a number",
            code="float_parsing",
            path=path,
            value=value,
        )
    raise Malformed("Input should be a valid number", code="float_type", path=path, value=value)


def _int(value: Any, path: Path) -> int:
    if type(value) is int:
        return value
    if type(value) is str and value.strip("-+ ").isdecimal():
        with suppress(ValueError):  # by way of a float, 2**53 + 1 would be another number
            return int(value)
    number = _float(value, path)
    if number.is_integer():
        return int(number)
    raise Malformed(
        "Input should be a valid integer, got a number with a fractional part",
        code="int_from_float",
        path=path,
        value=value,
    )


def _out_of_range(
    value: Any, path: Path, code: str, word: str, key: str, limit: float
) -> Malformed:
    return Malformed(
        f"Input should be {word} than or equal to {limit:g}",
        code=code,
        context={key: limit},
        path=path,
        value=value,
    )


def _listed(allowed: tuple[str, ...]) -> str:
    """`'a', 'b' or 'c'`, as pydantic writes it."""
    quoted = [f"'{name}'" for name in allowed]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
