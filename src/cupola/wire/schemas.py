"""JSON Schemas of what stands inside the fields of a chat request, for OpenAPI documents."""

from collections.abc import Mapping
from typing import Any

from cupola.wire.messages import ROLES
from cupola.wire.tools import FORMATS

_CONTENT: Mapping[str, Any] = {
    "oneOf": [
        {"type": "string"},
        {"type": "array", "items": {"$ref": "#/components/schemas/TextPart"}},
        {"type": "null"},
    ]
}


def _kind(*kinds: str) -> Mapping[str, Any]:
    """A format's type, also inside an object, as versions 4 to 6 of the Azure client write it."""
    plain = {"type": "string", "enum": list(kinds)}
    return {
        "anyOf": [plain, {"type": "object", "required": ["type"], "properties": {"type": plain}}]
    }


SCHEMAS: Mapping[str, Any] = {
    "Message": {
        "oneOf": [
            {"$ref": "#/components/schemas/TextMessage"},
            {"$ref": "#/components/schemas/AssistantMessage"},
            {"$ref": "#/components/schemas/ToolMessage"},
        ]
    },
    "TextMessage": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {
                "type": "string",
                "enum": [r for r in ROLES if r not in ("assistant", "tool")],
            },
            "content": _CONTENT,
        },
    },
    "AssistantMessage": {
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"const": "assistant"},
            "content": _CONTENT,
            "tool_calls": {
                "type": ["array", "null"],
                "items": {"$ref": "#/components/schemas/ToolCall"},
            },
            "prefix": {
                "anyOf": [{"type": "boolean"}, {"enum": ["true", "false", None]}],
                "description": "On a last message: the reply continues it.",
            },
        },
    },
    "ToolMessage": {
        "type": "object",
        "required": ["role", "content", "tool_call_id"],
        "properties": {
            "role": {"const": "tool"},
            "content": _CONTENT,
            "tool_call_id": {"type": "string", "description": "Of the call this answers."},
        },
    },
    "TextPart": {
        "type": "object",
        "required": ["type", "text"],
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    },
    "ToolCall": {
        "type": "object",
        "required": ["id", "function"],
        "properties": {
            "id": {"type": "string"},
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name", "arguments"],
                "properties": {
                    "name": {"type": "string"},
                    "arguments": {
                        "type": ["string", "object", "null"],
                        "description": "JSON text of an object.",
                    },
                },
            },
        },
    },
    "Tool": {
        "type": "object",
        "required": ["function"],
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                    "description": {"type": ["string", "null"]},
                    "parameters": {"type": ["object", "null"], "description": "A JSON Schema."},
                },
            },
        },
    },
    "NamedTool": {
        "type": "object",
        "required": ["function"],
        "properties": {
            "type": {"const": "function"},
            "function": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
        },
    },
    "ResponseFormat": {
        "oneOf": [
            {"$ref": "#/components/schemas/PlainFormat"},
            {"$ref": "#/components/schemas/SchemaFormat"},
        ]
    },
    "PlainFormat": {
        "type": "object",
        "required": ["type"],
        "properties": {"type": _kind(*(kind for kind in FORMATS if kind != "json_schema"))},
    },
    "SchemaFormat": {
        "type": "object",
        "required": ["type", "json_schema"],
        "properties": {
            "type": _kind("json_schema"),
            "json_schema": {
                "type": "object",
                "required": ["name", "schema"],
                "properties": {"name": {"type": "string"}, "schema": {"type": "object"}},
            },
        },
    },
}
"""What the schemas of `wire.chat.FIELDS` refer to."""
