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

_NULL = {"type": "null"}
_BYTE = {"type": "integer", "minimum": 0, "maximum": 255}
_TOLD = {
    "token": _TEXT,
    "logprob": {"type": "number"},
    "bytes": {"type": "array", "items": _BYTE},
}
_ID = {"token_id": {**_COUNT, "description": "If the engine tells it."}}
_LIKELY = _object(**_TOLD)
_LIKELY["properties"] |= _ID
_PLACE = _object(**_TOLD, top_logprobs={"type": "array", "items": _LIKELY})
_PLACE["properties"] |= _ID
_LOGPROBS = {"oneOf": [_object(content={"type": "array", "items": _PLACE}), _NULL]}
_NUMBERS = {"type": "array", "items": {"type": "number"}}
_TEXT_LOGPROBS = {
    "oneOf": [
        _object(
            text_offset={"type": "array", "items": _COUNT},
            token_logprobs=_NUMBERS,
            tokens={"type": "array", "items": _TEXT},
            top_logprobs={
                "type": "array",
                "items": {"type": "object", "additionalProperties": {"type": "number"}},
            },
        ),
        _NULL,
    ]
}

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
            logprobs=_LOGPROBS,
        ),
    },
)
_CHUNK["properties"] |= {
    "usage": {**_USAGE, "description": "At the end only."},
    "error": {**_object(code=_TEXT, message=_TEXT), "description": "With reason `error` only."},
}


def _event(chunk: str) -> dict[str, Any]:
    """As newer versions of OpenAPI describe events."""
    reference = {"$ref": f"#/components/schemas/{chunk}"}
    data = [
        {"type": "string", "contentMediaType": "application/json", "contentSchema": reference},
        {"const": "[DONE]", "description": "The stream's end."},
    ]
    return {"description": "One event of a stream.", **_object(data={"anyOf": data})}


def _text(reason: dict[str, Any]) -> dict[str, Any]:
    choice = _object(index=_COUNT, text=_TEXT, logprobs=_TEXT_LOGPROBS, finish_reason=reason)
    return {
        "id": _TEXT,
        "object": {"const": "text_completion"},
        "created": _COUNT,
        "model": _TEXT,
        "choices": {"type": "array", "items": choice},
    }


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
                index=_COUNT, message=_MESSAGE, finish_reason=_REASON, logprobs=_LOGPROBS
            ),
        },
        usage=_USAGE,
    ),
    "ChatCompletionEvent": _event("ChatCompletionChunk"),
    "ChatCompletionChunk": _CHUNK,
    "TextCompletion": _object(**_text(_REASON), usage=_USAGE),
    "TextCompletionEvent": _event("TextCompletionChunk"),
    "TextCompletionChunk": _object(**_text({"oneOf": [_REASON, _NULL]})),
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
    "www-authenticate": _header(
        "How to send a key or token, and what is wrong with the token; absent where a budget is "
        "spent.",
        {"type": "string", "pattern": '^Bearer( error="[a-z_]+")?$'},
        always=False,
    ),
    "retry-after": _header(
        "Seconds after which to ask again, where that is known.", _COUNT, always=False
    ),
    "retry-after-ms": _header("The same in milliseconds, of a limit.", _COUNT, always=False),
    **{
        f"x-ratelimit-{what}-{of}": _header(said.format(of), _COUNT, always=False)
        for of in ("requests", "tokens")
        for what, said in (
            ("limit", "How many {} a minute may have, by the limit with the least left."),
            ("remaining", "How many {} of that limit are left."),
            ("reset", "Seconds after which all {} are free again, if nothing else comes."),
        )
    },
    "x-cupola-cost": _header(
        "What the reply cost, if the request has the header `x-cupola-report` and the model a "
        "price. In a stream it is a comment before the last event, as are the two counts.",
        _TEXT,
        always=False,
    ),
    "x-cupola-prompt-tokens": _header("Tokens of the prompt, as above.", _COUNT, always=False),
    "x-cupola-completion-tokens": _header(
        "Tokens of the completion, as above.", _COUNT, always=False
    ),
    "ms-azureml-model-error-statuscode": _header(
        "The status that this error has by itself.", _COUNT, always=True
    ),
    "ms-azureml-model-error-reason": _header(
        "Whose error it is.", {"const": "model_error"}, always=True
    ),
}
"""Named as OpenAPI components."""
