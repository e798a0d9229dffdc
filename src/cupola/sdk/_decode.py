"""JSON as the values of `_results`, by their annotations; lenient where versions differ."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from cupola.sdk._errors import BadReply

T = TypeVar("T")


def decode(value: object, into: type[T]) -> T:
    """A parsed JSON object as the dataclass `into`.

    Raises:
        BadReply: A field is missing that every version has, or has another type.
    """
    decoded: T = _decode(value, into, into.__name__)
    return decoded


def _decode(value: Any, wanted: Any, where: str) -> Any:
    if wanted is Any:
        return value
    if is_dataclass(wanted) and isinstance(wanted, type):
        return _decode_object(value, wanted, where)
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _decode_choice(value, get_args(wanted), where)
    if origin is tuple:
        _expect(isinstance(value, list), value, where)
        return tuple(_decode(each, get_args(wanted)[0], where) for each in value)
    if origin is Mapping:
        _expect(isinstance(value, dict), value, where)
        return {key: _decode(each, get_args(wanted)[1], where) for key, each in value.items()}
    return _decode_plain(value, wanted, where)


def _decode_object(value: Any, wanted: type, where: str) -> Any:
    _expect(isinstance(value, dict), value, where)
    given = {}
    for each, hint, needed in _list_fields(wanted):
        if each in value:
            given[each] = _decode(value[each], hint, f"{where}.{each}")
        elif needed:
            raise BadReply(f"The server's reply lacks {where}.{each}. Is it a Cupola server?")
    return wanted(**given)


def _decode_choice(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    several = [choice for choice in choices if choice is not type(None)]
    for choice in several[:-1]:
        if isinstance(choice, type) and isinstance(value, choice):
            return value
    return _decode(value, several[-1], where)


def _decode_plain(value: Any, wanted: Any, where: str) -> Any:
    if wanted is datetime:
        _expect(isinstance(value, str), value, where)
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            _expect(False, value, where)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _expect(isinstance(value, wanted), value, where)
    return value


def _expect(holds: bool, value: object, where: str) -> None:
    if not holds:
        raise BadReply(f"The server's reply has a strange {where}: {str(value)[:80]!r}.")


@cache
def _list_fields(wanted: type) -> tuple[tuple[str, Any, bool], ...]:
    """Name and type of each field, and whether it must be there."""
    hints = get_type_hints(wanted)
    return tuple(
        (each.name, hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(wanted)
    )
