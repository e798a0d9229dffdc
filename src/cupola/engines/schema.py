"""JSON Schemas from callers: made fit for a decoder, or refused with the reason.

What the decoder cannot enforce it would ignore, and some few schemas take it minutes to compile
while every other request waits. So a schema is bounded in size, depth and patterns, then compiled
once here, by the same library that the engine uses.

What came back is looked at again, because engines ignore what they cannot enforce, and services
promise more than they hold.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from cupola.kit.errors import Invalid

MAX_SCHEMA: Final = 32 * 1024
"""Bytes of JSON; 2,000 properties take a quarter of a second to compile."""
MAX_DEPTH: Final = 64
MAX_JOINED_PATTERNS: Final = 16
"""Patterns that `allOf` or `$ref` may join: 14 take 20 ms, and each one more doubles that."""

_WHITE_SPACE: Final = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
"""As Python's `json.dumps` writes, which is what models are trained on; else it may be endless."""

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "number": (int, float), "integer": (int, float), "null": (type(None),),
}  # fmt: skip
_OPEN_KEYS: Final = ("additionalProperties", "patternProperties", "$ref", "anyOf", "oneOf", "allOf")


def write_schema(schema: Mapping[str, Any], *, path: tuple[str | int, ...]) -> str:
    """JSON text of `schema` for an llguidance grammar.

    Raises:
        Invalid: the decoder cannot enforce it; `path` says where in the request it stands.
    """
    if reason := find_size_fault(schema):
        raise Invalid(f"The JSON schema cannot be enforced: {reason}.", path=path)
    text = msgspec.json.encode({**schema, "x-guidance": _WHITE_SPACE}).decode()
    if reason := _find_fault(text):
        raise Invalid(f"The JSON schema cannot be enforced: {reason}.", path=path)
    return text


def close_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` of a tool's arguments as an object that allows no property it does not name.

    A schema that says itself what else it allows, or is put together of others, stays as it is.
    """
    properties = schema.get("properties", {})
    if any(key in schema for key in _OPEN_KEYS) or not isinstance(properties, Mapping):
        return {"type": "object", **schema}
    return {
        "type": "object",
        **schema,
        "properties": {name: _close_nested(part) for name, part in properties.items()},
        # A property that is required but not described can only be one that is not named.
        "additionalProperties": not _find_required(schema) <= properties.keys(),
    }


def _find_required(schema: Mapping[str, Any]) -> set[str]:
    """The properties that `schema` requires, as far as it names them in a list of names."""
    names = schema.get("required")
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def find_reply_fault(text: str, schema: Mapping[str, Any]) -> str | None:
    """How a complete reply breaks `schema`, as far as its outermost level shows it, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "The answer is not JSON."
    if "$ref" in schema:  # beside which, in older drafts, nothing counts
        return None
    kind = schema.get("type")
    kinds = _KINDS.get(kind) if isinstance(kind, str) else None
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        return f"The answer is not a JSON {kind}."
    if isinstance(value, dict) and (missing := sorted(_find_required(schema) - value.keys())):
        return f"The answer lacks {missing[0]!r}, which its schema requires."
    return None


def _close_nested(schema: Any) -> Any:
    """The same for an object inside, which without `properties` is a free map."""
    if isinstance(schema, Mapping) and schema.get("type") == "object" and "properties" in schema:
        return close_object(schema)
    if isinstance(schema, Mapping) and isinstance(schema.get("items"), Mapping):
        return {**schema, "items": _close_nested(schema["items"])}
    return schema


def find_size_fault(schema: Mapping[str, Any]) -> str | None:
    """Why compiling `schema` could take too long, or None."""
    keys = list(_iter_keys(schema))
    if any(depth > MAX_DEPTH for _, depth in keys):
        return f"it is nested deeper than {MAX_DEPTH} levels"
    if len(msgspec.json.encode(schema)) > MAX_SCHEMA:
        return f"it is longer than {MAX_SCHEMA} bytes"
    names = [key for key, _ in keys]
    joined = "allOf" in names or "$ref" in names
    if joined and names.count("pattern") + names.count("format") > MAX_JOINED_PATTERNS:
        return f"with 'allOf' or '$ref' it may hold at most {MAX_JOINED_PATTERNS} patterns"
    return None


def _iter_keys(schema: object) -> Iterator[tuple[object, int]]:
    """Every key of every object inside, with its depth. A loop, because depth is not trusted."""
    waiting: list[tuple[object, int]] = [(schema, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, Mapping):
            yield from ((key, depth) for key in value)
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(inner, depth + 1) for inner in value]


@lru_cache(maxsize=1024)  # callers repeat their schemas, and a check takes 0.7 ms
def _find_fault(text: str) -> str | None:
    # Imported here because it takes 0.15 s, and only constrained requests need it.
    from llguidance import LLMatcher  # noqa: PLC0415

    fault: str = LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(f"start: %json {text}"))
    return _shorten(fault) if fault else None


def _shorten(fault: str) -> str:
    """The reason alone, without the place in a grammar that the caller never saw."""
    reason = fault.partition("failed to compile JSON schema: ")[2] or fault
    _, _, about_pattern = reason.partition("\nerror: ")
    return (about_pattern or reason).partition("\n")[0].strip().rstrip(".")
