"""Errors of OpenAI's dialect: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Mapping

from msgspec.json import encode

from cupola.kit.errors import CupolaError, Kind
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
    shape = {
        "message": error.public,
        "type": kind,
        "param": dotted(error.path),
        "code": code,
    }
    return Refusal(status, code or kind, encode({"error": shape}))
