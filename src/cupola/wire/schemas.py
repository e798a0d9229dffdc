"""JSON Schemas of what stands inside the fields of a chat request, for OpenAPI documents."""

from collections.abc import Mapping
from typing import Any

from cupola.wire.messages import ROLES
from cupola.wire.tools import FORMATS

SCHEMAS: Mapping[str, Any] = {
    "Message": {
        "type": "object",
        "required": ["role"],
        "properties": {
            "role": {"type": "string", "enum": list(ROLES)},
            "content": {
                "oneOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"$ref": "#/components/schemas/TextPart"}},
                    {"type": "null"},
                ]
            },
            "tool_calls": {
                "type": ["array", "null"],
                "items": {"$ref": "#/components/schemas/ToolCall"},
            },
            "tool_call_id": {"type": "string", "description": "Of the call this answers."},
            "prefix": {
                "type": "boolean",
                "description": "On a last message of the assistant: the reply continues it.",
            },
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
                    "arguments": {"type": "string", "description": "JSON text of an object."},
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
                    "description": {"type": "string"},
                    "parameters": {"type": "object", "description": "A JSON Schema."},
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
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": list(FORMATS)},
            "json_schema": {
                "type": "object",
                "required": ["name", "schema"],
                "properties": {"name": {"type": "string"}, "schema": {"type": "object"}},
            },
        },
    },
}
"""What the schemas of `wire.chat.FIELDS` refer to."""
