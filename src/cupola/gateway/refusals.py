"""What the gateway may refuse, for OpenAPI documents: each status, and its shape in each dialect.

The shapes are those of `wire.*.errors` and `gateway.dialects` (decision 0003).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cupola.gateway.address import Tongue
from cupola.gateway.compatibility import FAILED_DEPENDENCY

_SAID: Mapping[int, str] = {
    400: "The request cannot be served as written; the message says why.",
    401: "No key or token, or not a valid one.",
    403: "The token gives no right to this, or a budget is spent.",
    404: "No such endpoint, as far as this key may know; or no such deployment, model or task.",
    408: "The body took too long to arrive.",
    413: "The body is too large.",
    422: "A field has a wrong type or value, or the model lacks it.",
    429: "A limit has no room, or the model's provider takes no more for now.",
    FAILED_DEPENDENCY: "The model refused or failed; a header has the status that this would be.",
    500: "A fault of ours. The log has it under the request's id.",
    502: "The engine failed, and did so again on other replicas.",
    503: "No replica is ready.",
}

ANY: Sequence[int] = (401, 404)
"""On every route that needs a key."""
CHAT: Sequence[int] = (400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503)
CHAT_424: Sequence[int] = (401, 403, 404, 408, 413, FAILED_DEPENDENCY, 429, 500, 503)
"""The same, where all that a model refuses has one status."""

LIMITS: Sequence[str] = tuple(
    f"x-ratelimit-{what}-{of}"
    for of in ("requests", "tokens")
    for what in ("limit", "remaining", "reset")
)
"""Headers of replies where an endpoint, its project or the key is limited per minute."""

_TEXT = {"type": "string"}
_STATUS = {"type": "integer", "minimum": 400}
_PLACE = {"type": "array", "items": {"type": ["string", "integer"]}}


def _object(optional: Mapping[str, Any] | None = None, /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **(optional or {})},
        "additionalProperties": False,
    }


_FAULT = _object(
    {"ctx": {"type": "object", "description": "What the rule compared with."}},
    type=_TEXT,
    loc=_PLACE,
    msg=_TEXT,
    input={"description": "What stood there, if it is short."},
)
_FAULTS = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Fault"}}
_NESTED = _object(
    {"param": {"type": ["string", "null"]}, "type": {"type": "null"}},
    code=_TEXT,
    message=_TEXT,
    status=_STATUS,
)
_OPEN = _object(
    message=_TEXT,
    type=_TEXT,
    param={"type": ["string", "null"]},
    code={"type": ["string", "null"]},
)
_UNSUPPORTED_CODE = {"const": "parameter_not_supported"}

SCHEMAS: Mapping[str, Any] = {
    "Fault": _FAULT,
    "Refused": _object(error=_NESTED),
    "InvalidBody": _object(error=_object(code=_TEXT, status=_STATUS, message=_TEXT,
                                         details=_FAULTS)),
    "NotSupported": _object(
        status=_STATUS,
        code=_UNSUPPORTED_CODE,
        detail=_object(loc=_PLACE, input={}, msg=_TEXT),
        message=_TEXT,
    ),
    "NotSupportedList": _object(
        status=_STATUS, code=_UNSUPPORTED_CODE, detail=_FAULTS, message=_TEXT
    ),
    "NotKnown": _object(detail=_TEXT),
    "OpenRefused": _object(error=_OPEN),
    "OpenInvalidBody": _object(detail=_FAULTS, error=_OPEN),
}  # fmt: skip
"""Named as OpenAPI components."""

_AZURE = {400: ("Refused", "NotKnown"), 422: ("InvalidBody", "NotSupported")}
_OPEN_SHAPES = {422: ("OpenInvalidBody",)}
_SHAPES: Mapping[Tongue, Mapping[int, Sequence[str]]] = {
    Tongue.AZURE: _AZURE,
    Tongue.SCORE: _AZURE,
    Tongue.FOUNDRY: {**_AZURE, 422: ("InvalidBody", "NotSupportedList")},
    Tongue.TEXT_AZURE: _AZURE,
    Tongue.OPEN: _OPEN_SHAPES,
    Tongue.TEXT_OPEN: _OPEN_SHAPES,
    Tongue.FILL: _OPEN_SHAPES,
}


def describe_refusals(statuses: Sequence[int], tongue: Tongue) -> dict[str, Any]:
    """OpenAPI responses of `statuses`."""
    return {str(status): _response(status, tongue) for status in sorted(statuses)}


def _response(status: int, tongue: Tongue) -> dict[str, Any]:
    return {
        "description": _SAID[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _headers(status)},
        "content": {"application/json": {"schema": _schema(status, tongue)}},
    }


def _schema(status: int, tongue: Tongue) -> dict[str, Any]:
    shapes = _SHAPES[tongue]
    usual = ("OpenRefused",) if shapes is _OPEN_SHAPES else ("Refused",)
    if status == FAILED_DEPENDENCY:
        names = tuple(dict.fromkeys((*usual, *shapes.get(400, ()), *shapes[422])))
    else:
        names = tuple(shapes.get(status, usual))
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _headers(status: int) -> Sequence[str]:
    own = {
        401: ["www-authenticate"],
        403: ["www-authenticate"],
        FAILED_DEPENDENCY: ["ms-azureml-model-error-statuscode", "ms-azureml-model-error-reason"],
        429: ["retry-after", "retry-after-ms", *LIMITS],
        503: ["retry-after"],
    }
    return ["x-request-id", "x-ms-client-request-id", "x-ms-error-code", *own.get(status, [])]
