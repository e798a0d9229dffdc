"""JSON Schemas of what the gateway reads, for OpenAPI documents, from the dialects' own tables.

Tables say what a field should be; that clients may be sloppy is the same for all fields and added
here: `null` is as good as nothing, and numbers and booleans may be written as strings. What a field
should be stands first.
"""

from collections.abc import Mapping
from typing import Any

from cupola.gateway.address import Tongue
from cupola.gateway.dialects import DIALECTS
from cupola.wire.azure.score import RENAMED
from cupola.wire.fields import Field, Reader, ignored
from cupola.wire.meanings import MEANINGS

BODIES: Mapping[Tongue, tuple[str, Mapping[str, Field]]] = {
    Tongue.AZURE: ("AzureChatRequest", DIALECTS[Tongue.AZURE].fields),
    Tongue.FOUNDRY: ("FoundryChatRequest", DIALECTS[Tongue.FOUNDRY].fields),
    Tongue.OPEN: ("ChatRequest", DIALECTS[Tongue.OPEN].fields),
    Tongue.SCORE: ("ScoreRequest", DIALECTS[Tongue.SCORE].fields),
    Tongue.TEXT_AZURE: ("AzureTextRequest", DIALECTS[Tongue.TEXT_AZURE].fields),
    Tongue.TEXT_OPEN: ("TextRequest", DIALECTS[Tongue.TEXT_OPEN].fields),
    Tongue.FILL: ("FillRequest", DIALECTS[Tongue.FILL].fields),
}
"""The name of each dialect's body, and its fields."""

_MESSAGES = [{"role": "user", "content": "How many languages are in the world?"}]
_CHAT = {"messages": _MESSAGES, "max_tokens": 64}
_TEXT = {"prompt": "The languages of the world", "max_tokens": 64}
EXAMPLES: Mapping[Tongue, Mapping[str, Any]] = {
    **dict.fromkeys((Tongue.AZURE, Tongue.FOUNDRY, Tongue.OPEN), _CHAT),
    **dict.fromkeys((Tongue.TEXT_AZURE, Tongue.TEXT_OPEN), _TEXT),
    Tongue.FILL: {"prompt": "def add(a, b):\n", "suffix": "\n    return c", "max_tokens": 64},
    Tongue.SCORE: {"input_data": {"input_string": _MESSAGES, "parameters": {"max_new_tokens": 64}}},
}

_NUMBER = {"type": "string", "pattern": r"^\s*[-+]?[0-9._]+([eE][-+]?[0-9]+)?\s*$"}
_AS_STRING: Mapping[str, Mapping[str, Any]] = {
    "number": _NUMBER,
    "integer": _NUMBER,
    "boolean": {"enum": ["true", "false"]},
}
_NULL = {"type": "null"}
_REQUIRED = frozenset(("messages", "prompt"))
_CLOSED = frozenset((Tongue.OPEN, Tongue.TEXT_OPEN, Tongue.FILL))
"""No header can make fields welcome here that the schema lacks."""


def _loosen(schema: Mapping[str, Any], read: Reader | None = None) -> Mapping[str, Any]:
    """The schema of a field: `schema`, and what else is read as it."""
    if schema.get("type") == "null":
        return schema
    described = {"description": schema["description"]} if "description" in schema else {}
    if read is ignored:
        return {**described, "anyOf": [schema, {"description": "Anything else is ignored too."}]}
    return {**described, "anyOf": [_loosen_parts(schema), *_find_other_forms(schema), _NULL]}


def _loosen_parts(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """`schema`, and what else is read as the numbers in it."""
    parts = [key for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    loose = {key: [schema[key], *_find_other_forms(schema[key])] for key in parts}
    return {**schema, **{key: {"anyOf": forms} for key, forms in loose.items() if len(forms) > 1}}


def _find_other_forms(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is read as `schema` though it is of another type."""
    kinds = [one.get("type") for one in schema.get("oneOf", [schema])]
    strings = [_AS_STRING[kind] for kind in kinds if isinstance(kind, str) and kind in _AS_STRING]
    return [*strings, *_equal(schema)]


def _equal(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`wire.fields.neutral` compares as Python does, where false is 0 and true is 1."""
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    same = [int(value) if isinstance(value, bool) else bool(value)
            for value in values if value in (0, 1)]  # fmt: skip
    return [{"enum": same}] if same else []


def _describe(tongue: Tongue) -> dict[str, Any]:
    _, fields = BODIES[tongue]
    properties = {
        name: {
            "description": MEANINGS[name],
            **(field.schema if name in _REQUIRED else _loosen(field.schema, field.read)),
        }
        for name, field in sorted(fields.items())
    }
    if tongue is Tongue.SCORE:
        return _score(properties)
    return {
        "type": "object",
        "required": sorted(_REQUIRED & fields.keys()),
        "properties": properties,
        **({"additionalProperties": False} if tongue in _CLOSED else {}),
    }


def _score(fields: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {name: schema for name, schema in fields.items() if name != "messages"}
    others: dict[str, Any] = {
        name: {**fields[ours], "description": f"{ours}."} for name, ours in RENAMED.items()
    }
    one_or_more = [{"type": "integer"}, *others["eos_token_id"]["anyOf"]]
    others["eos_token_id"]["anyOf"] = one_or_more
    return {
        "type": "object",
        "required": ["input_data"],
        "additionalProperties": False,
        "properties": {
            "input_data": {
                "type": "object",
                "required": ["input_string"],
                "properties": {
                    "input_string": fields["messages"],
                    "parameters": {
                        "type": ["object", "null"],
                        "description": "What is not known here is dropped.",
                        "properties": {
                            **parameters,
                            **others,
                            "do_sample": {
                                **_loosen({"type": "boolean"}),
                                "description": "false: temperature 0.",
                            },
                        },
                    },
                },
            }
        },
    }


SCHEMAS: Mapping[str, Any] = {name: _describe(tongue) for tongue, (name, _) in BODIES.items()}
"""Named as OpenAPI components."""
