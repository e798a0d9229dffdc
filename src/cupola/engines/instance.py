"""A small value that a JSON Schema allows, as far as that can be told without a decoder."""

from collections.abc import Mapping
from typing import Any, Final

_SCALARS: Final[Mapping[str, Any]] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "null": None,
}
_MAX_DEPTH: Final = 32
"""Of references that lead back to themselves."""


def make_instance(schema: Mapping[str, Any]) -> Any:
    """Only required properties, shortest texts, first alternatives."""
    return _make(schema, schema, 0)


def _make(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    for key in ("const", "enum", "$ref", "anyOf", "oneOf", "allOf"):
        if key in schema:
            return _choose(key, schema[key], root, depth)
    match _type(schema):
        case "object":
            return _make_object(schema, root, depth)
        case "array":
            return [_make(schema.get("items", {}), root, depth + 1)] * schema.get("minItems", 0)
        case "string":
            return "x" * schema.get("minLength", 0)
        case "integer" | "number":
            return schema.get("minimum", 0)
        case kind:
            return _SCALARS.get(kind)


def _choose(key: str, value: Any, root: Mapping[str, Any], depth: int) -> Any:
    match key:
        case "const":
            return value
        case "enum":
            return value[0]
        case "$ref":
            return _make(_resolve(value, root), root, depth + 1)
        case _:
            return _make(value[0], root, depth + 1)


def _resolve(reference: str, root: Any) -> Any:
    for name in reference.removeprefix("#").split("/")[1:]:
        root = root.get(name, {})
    return root


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "null")
    return str(kind if isinstance(kind, str) else kind[0])


def _make_object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    return {name: _make(properties.get(name, {}), root, depth + 1) for name in required}
