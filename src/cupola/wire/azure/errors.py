"""Errors of the Azure dialect.

Four shapes, because clients and samples of this API look at all four:

    nested   {"error": {"code", "message", "status"}}                       nearly everything
    invalid  the same, with `details` in pydantic's form                    the body has a fault
    flat     {"status", "code", "detail": {"loc", "input"}, "message"}      the model lacks a parameter
    detail   {"detail": "..."}                                              unknown fields, wrong header

`code` is always a string: the client for C# fails on anything else.
"""  # noqa: E501 (the table)

from collections.abc import Mapping
from typing import Any

from msgspec.json import encode

from cupola.kit.errors import CupolaError, Kind
from cupola.wire.refusal import Refusal, details, dotted, location, shown

TABLE: Mapping[Kind, tuple[int, str]] = {
    Kind.INVALID: (400, "Bad Request"),
    Kind.MALFORMED: (422, "Invalid input"),
    Kind.EXTRA_FIELD: (400, "Bad Request"),
    Kind.UNSUPPORTED: (422, "parameter_not_supported"),
    Kind.TOO_LONG: (400, "Bad Request"),
    Kind.TOO_LARGE: (413, "Payload Too Large"),
    Kind.TOO_SLOW: (408, "Request Timeout"),
    Kind.UNAUTHENTICATED: (401, "Unauthorized"),
    Kind.FORBIDDEN: (403, "Forbidden"),
    Kind.NOT_FOUND: (404, "Not Found"),
    Kind.WRONG_METHOD: (405, "Method Not Allowed"),
    Kind.CONFLICT: (409, "Conflict"),
    Kind.RATE_LIMITED: (429, "429"),
    Kind.FILTERED: (400, "content_filter"),
    Kind.UNAVAILABLE: (503, "Service Unavailable"),
    Kind.ENGINE_FAILED: (502, "Bad Gateway"),
    Kind.INTERNAL: (500, "Internal Server Error"),
}


def refuse(error: CupolaError) -> Refusal:
    """`error`, as this dialect says it."""
    status, code = TABLE[error.kind]
    return Refusal(status, code, encode(_shape(error, status, code)))


def refuse_with_list(error: CupolaError) -> Refusal:
    """The same, with `detail` of the flat shape as a list.

    Both forms are documented. Mistral's client for Azure parses the list alone.
    """
    if error.kind is not Kind.UNSUPPORTED:
        return refuse(error)
    status, code = TABLE[error.kind]
    return Refusal(status, code, encode({**_flat(error, status, code), "detail": details(error)}))


def _shape(error: CupolaError, status: int, code: str) -> dict[str, Any]:
    match error.kind:
        case Kind.MALFORMED:
            return {
                "error": {
                    "code": code,
                    "status": status,
                    "message": "invalid input error",
                    "details": details(error),
                }
            }
        case Kind.EXTRA_FIELD:
            return {"detail": error.public}
        case Kind.UNSUPPORTED:
            return _flat(error, status, code)
        case Kind.FILTERED:
            return {"error": _filtered(error, status, code)}
        case _:
            return {"error": _nested(error, status, code)}


def _flat(error: CupolaError, status: int, code: str) -> dict[str, Any]:
    """The documented object. `msg` is ours: the documented message does not say what is wrong."""
    detail = {"loc": location(error.path), "input": shown(error.value), "msg": error.public}
    return {
        "status": status,
        "code": code,
        "detail": detail,
        "message": "One of the parameters contain invalid values.",
    }


def _filtered(error: CupolaError, status: int, code: str) -> dict[str, Any]:
    return {
        "message": error.public,
        "type": None,
        "param": "prompt",
        "code": code,
        "status": status,
    }


def _nested(error: CupolaError, status: int, code: str) -> dict[str, Any]:
    shape = {"code": code, "message": error.public, "status": status}
    where = dotted(error.path)
    return {**shape, "param": where} if where else shape
