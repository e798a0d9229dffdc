"""Errors of Mistral's dialect.

    422      {"detail": [{"type", "loc", "msg", "input", "ctx"?}, ...]}
    others   {"object": "error", "message", "type", "param", "code"}

The list is what mistralai parses; it raises something unrelated on an object in `detail`.
"""

from collections.abc import Mapping

from msgspec.json import encode

from cupola.kit.errors import CupolaError, Kind
from cupola.wire.refusal import Refusal, details, dotted

LISTED = frozenset((Kind.MALFORMED, Kind.EXTRA_FIELD, Kind.UNSUPPORTED))

TABLE: Mapping[Kind, tuple[int, str]] = {
    Kind.INVALID: (400, "invalid_request_error"),
    Kind.MALFORMED: (422, "invalid_request_error"),
    Kind.EXTRA_FIELD: (422, "invalid_request_error"),
    Kind.UNSUPPORTED: (422, "invalid_request_error"),
    Kind.TOO_LONG: (400, "invalid_request_error"),
    Kind.TOO_LARGE: (413, "invalid_request_error"),
    Kind.TOO_SLOW: (408, "invalid_request_error"),
    Kind.UNAUTHENTICATED: (401, "authentication_error"),
    Kind.FORBIDDEN: (403, "permission_error"),
    Kind.NOT_FOUND: (404, "not_found"),
    Kind.WRONG_METHOD: (405, "invalid_request_error"),
    Kind.CONFLICT: (409, "invalid_request_error"),
    Kind.RATE_LIMITED: (429, "rate_limit_error"),
    Kind.FILTERED: (400, "content_filter"),
    Kind.UNAVAILABLE: (503, "service_unavailable"),
    Kind.ENGINE_FAILED: (502, "engine_failed"),
    Kind.INTERNAL: (500, "internal_server_error"),
}


def refuse(error: CupolaError) -> Refusal:
    """`error`, as this dialect says it."""
    status, code = TABLE[error.kind]
    if error.kind in LISTED:
        return Refusal(status, code, encode({"detail": details(error)}))
    shape = {
        "object": "error",
        "message": error.public,
        "type": code,
        "param": dotted(error.path),
        "code": None,
    }
    return Refusal(status, code, encode(shape))
