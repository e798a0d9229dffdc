"""JSON Schemas of what the gateway replies, and its headers, for OpenAPI documents."""

from collections.abc import Mapping
from typing import Any


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_REASON = {"type": "string", "enum": ["stop", "length", "tool_calls", "content_filter", "error"]}
_CALLS = {"items": {"$ref": "#/components/schemas/ToolCall"}}
_USAGE = {"$ref": "#/components/schemas/Usage"}

_MESSAGE = _object(
    role={"const": "assistant"}, content=_TEXT, tool_calls={"type": ["array", "null"], **_CALLS}
)
_DELTA = {
    "type": "object",
    "properties": {
        "role": {"const": "assistant"},
        "content": _TEXT,
        "tool_calls": {"type": "array", **_CALLS},
    },
}
_CHUNK = _object(
    id=_TEXT,
    object={"const": "chat.completion.chunk"},
    created=_COUNT,
    model=_TEXT,
    choices={
        "type": "array",
        "items": _object(
            index=_COUNT,
            delta=_DELTA,
            finish_reason={"oneOf": [_REASON, {"type": "null"}]},
            logprobs={"type": "null"},
        ),
    },
)
_CHUNK["properties"] |= {
    "usage": {**_USAGE, "description": "At the end only."},
    "error": {**_object(code=_TEXT, message=_TEXT), "description": "With reason `error` only."},
}
_EVENT = _object(
    data={
        "anyOf": [
            {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/ChatCompletionChunk"},
            },
            {"const": "[DONE]", "description": "The stream's end."},
        ]
    }
)
_EVENT["description"] = "One event of a stream, as newer versions of OpenAPI describe them."

SCHEMAS: Mapping[str, Any] = {
    "Usage": _object(prompt_tokens=_COUNT, total_tokens=_COUNT, completion_tokens=_COUNT),
    "ChatCompletion": _object(
        id=_TEXT,
        object={"const": "chat.completion"},
        created=_COUNT,
        model=_TEXT,
        choices={
            "type": "array",
            "items": _object(
                index=_COUNT, message=_MESSAGE, finish_reason=_REASON, logprobs={"type": "null"}
            ),
        },
        usage=_USAGE,
    ),
    "ChatCompletionEvent": _EVENT,
    "ChatCompletionChunk": _CHUNK,
    "Score": _object(output=_TEXT),
    "ModelInfo": _object(model_name=_TEXT, model_type=_TEXT, model_provider_name=_TEXT),
    "Model": _object(
        id=_TEXT,
        object={"const": "model"},
        created=_COUNT,
        owned_by=_TEXT,
        capabilities={"type": "object", "additionalProperties": {"type": "boolean"}},
        max_context_length=_COUNT,
        aliases={"type": "array", "items": _TEXT},
        type={"const": "base"},
    ),
    "ModelList": _object(
        object={"const": "list"},
        data={"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
    ),
}
"""Named as OpenAPI components."""


def _header(description: str, schema: Mapping[str, Any], *, always: bool) -> dict[str, Any]:
    return {"description": description, "required": always, "schema": schema}


HEADERS: Mapping[str, Any] = {
    "x-request-id": _header(
        "Names the request as the log does; a chat's is also its id.",
        {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        always=True,
    ),
    "x-ms-client-request-id": _header(
        "The caller's own, as far as its first 128 bytes.", _TEXT, always=False
    ),
    "x-ms-deployment-name": _header("What answered.", _TEXT, always=True),
    "x-ms-error-code": _header("The body's code.", _TEXT, always=True),
    "www-authenticate": _header("How to send a key.", {"const": "Bearer"}, always=True),
    "retry-after": _header("Seconds after which to ask again.", _COUNT, always=True),
    "ms-azureml-model-error-statuscode": _header(
        "The status that this error has by itself.", _COUNT, always=True
    ),
    "ms-azureml-model-error-reason": _header(
        "Whose error it is.", {"const": "model_error"}, always=True
    ),
}
"""Named as OpenAPI components."""
