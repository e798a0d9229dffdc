"""A request's bytes -> one JSON object, or a `Malformed` that says what is wrong with them.

msgspec does the reading. It refuses what JSON refuses (NaN, bad UTF-8, lone surrogates, numbers out
of range); two things that it lets through are looked for here, because a value that depends on the
reader must not reach a model: names that stand twice in one object, and nesting so deep that the
next reader, an engine's grammar compiler say, would give up.
"""

import json
import math
from typing import Any

import msgspec

from cupola.kit.errors import Malformed

DEEPEST = 64
"""Levels of nesting: ample for a schema, and far from where Python's recursion ends (1000)."""

_encoder = msgspec.json.Encoder()


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is."""
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(body, error) from None
    if type(parsed) is not dict:
        raise Malformed("Input should be a JSON object", code="dict_type", value=parsed)
    # Objects and arrays are at most as deep as they are many.
    if body.count(b"{") + body.count(b"[") > DEEPEST and nests_too_deep(parsed):
        raise _broken(f"Nested deeper than {DEEPEST} levels", 0)
    if _may_repeat_names(body, parsed):
        json.loads(body, object_pairs_hook=_refuse_repeated)
    return parsed


def nests_too_deep(parsed: object) -> bool:
    """Whether `parsed` has more than `DEEPEST` levels; without recursion, and with an end there."""
    level, depth = [parsed], 0
    while level and depth <= DEEPEST:
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)  # type: ignore[attr-defined]
            if type(child) in (dict, list)
        ]
        depth += 1
    return depth > DEEPEST


def _may_repeat_names(body: bytes, parsed: dict[str, Any]) -> bool:
    """Whether the object, written again, has fewer quotation marks than `body` had.

    A name that is lost takes at least two along. Only an escaped quotation mark (`\\u0022`) makes
    the count differ for honest reasons, so the slow look that follows is rare.
    """
    return b"\\u0022" in body or body.count(b'"') != _encoder.encode(parsed).count(b'"')


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _broken(f"The name {name[:80]!r} stands twice in one object", 0)
        found[name] = value
    return found


def _explain(body: bytes, error: Exception) -> Malformed:
    """The fault in the standard library's words, which name a position clients can find."""
    if isinstance(error, RecursionError):
        return _broken(f"Nested deeper than {DEEPEST} levels", 0)
    try:
        json.loads(body.decode(), parse_constant=_refuse_constant, parse_int=_Number,
                   parse_float=_Number, object_pairs_hook=_refuse_endless)  # fmt: skip
    except UnicodeDecodeError as fault:
        return _broken(f"Not UTF-8: {fault.reason}", fault.start)
    except json.JSONDecodeError as fault:
        return _broken(fault.msg, fault.pos)
    except RecursionError:
        return _broken(f"Nested deeper than {DEEPEST} levels", 0)
    except Malformed as fault:
        return fault
    if b"\\ud" in body.lower() and isinstance(error, msgspec.DecodeError):
        return _broken("A \\u escape is half of a surrogate pair", 0)
    return _broken(str(error), 0)


class _Number(str):
    """A number as it was written."""


def _refuse_endless(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Numbers that no machine word holds, by the name they have."""
    for name, value in pairs:
        if isinstance(value, _Number) and not math.isfinite(float(value)):
            raise _broken(f"The number of {name[:80]!r} is out of range", 0)
    return dict(pairs)


def _refuse_constant(name: str) -> object:
    raise _broken(f"{name} is not a number that JSON has", 0)


def _broken(what: str, position: int) -> Malformed:
    return Malformed(
        "JSON decode error",
        code="json_invalid",
        context={"error": what},
        path=(position,),
        value={},
    )
