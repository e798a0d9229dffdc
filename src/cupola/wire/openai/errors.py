"""Errors of OpenAI's dialect: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Mapping
from typing import Any

from msgspec.json import encode

from cupola.kit.errors import CupolaError, Kind, Malformed
from cupola.wire.refusal import Refusal, dotted

TABLE: Mapping[Kind, tuple[int, str, str | None]] = {
    Kind.INVALID: (400, "invalid_request_error", None),
    Kind.MALFORMED: (400, "invalid_request_error", "invalid_value"),
    Kind.EXTRA_FIELD: (400, "invalid_request_error", "unknown_parameter"),
    Kind.UNSUPPORTED: (400, "invalid_request_error", "unsupported_parameter"),
    Kind.TOO_LONG: (400, "invalid_request_error", "context_length_exceeded"),
    Kind.TOO_LARGE: (413, "invalid_request_error", "request_too_large"),
    Kind.TOO_SLOW: (408, "invalid_request_error", "request_timeout"),
    Kind.UNAUTHENTICATED: (401, "invalid_request_error", "invalid_api_key"),
    Kind.FORBIDDEN: (403, "invalid_request_error", "forbidden"),
    Kind.NOT_FOUND: (404, "invalid_request_error", "not_found"),
    Kind.WRONG_METHOD: (405, "invalid_request_error", "method_not_allowed"),
    Kind.CONFLICT: (409, "invalid_request_error", "conflict"),
    Kind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    Kind.FILTERED: (400, "invalid_request_error", "content_filter"),
    Kind.UNAVAILABLE: (503, "server_error", "service_unavailable"),
    Kind.ENGINE_FAILED: (502, "server_error", "engine_failed"),
    Kind.INTERNAL: (500, "server_error", "internal_error"),
}


def refuse(error: CupolaError) -> Refusal:
    """`error`, as this dialect says it."""
    status, kind, code = TABLE[error.kind]
    return Refusal(status, code or kind, encode({"error": describe(error)}))


def describe(error: CupolaError) -> dict[str, Any]:
    """The object in `error`."""
    _, kind, code = TABLE[error.kind]
    where = None if _is_broken(error) else dotted(error.path)
    return {"message": _say(error, where), "type": kind, "param": where, "code": code}


def _say(error: CupolaError, where: str | None) -> str:
    """People see the message alone, and faults of the body do not name their place in it."""
    if isinstance(error, Malformed) and _is_broken(error):
        return f"{error.public}: {error.context.get('error', '')}"
    named = where and error.kind in (Kind.MALFORMED, Kind.EXTRA_FIELD)
    return f"{where}: {error.public}" if named else error.public


def _is_broken(error: CupolaError) -> bool:
    """Whether the body is no JSON at all, so that a path leads to a position in its bytes."""
    return isinstance(error, Malformed) and error.code == "json_invalid" and bool(error.context)
