"""Errors as the management API says them: one table from kind to status, one shape of body.

    {"error": {"code", "message", "path", "details"?, "request_id"}}

`path` leads to the fault in the request's JSON; `details` lists every fault, if there are several.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from cupola.kit.errors import CupolaError, Kind, Malformed, NotFound, Several, Stale, WrongMethod

TABLE: Final[Mapping[Kind, int]] = {
    Kind.INVALID: 400,
    Kind.MALFORMED: 422,
    Kind.EXTRA_FIELD: 422,
    Kind.UNSUPPORTED: 422,
    Kind.TOO_LONG: 400,
    Kind.TOO_LARGE: 413,
    Kind.TOO_SLOW: 408,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.WRONG_METHOD: 405,
    Kind.CONFLICT: 409,
    Kind.RATE_LIMITED: 429,
    Kind.FILTERED: 400,
    Kind.UNAVAILABLE: 503,
    Kind.ENGINE_FAILED: 502,
    Kind.INTERNAL: 500,
}
_JSON_INVALID: Final = "json_invalid"
_PRECONDITION_FAILED: Final = 412
_LONGEST_PATH_PART: Final = 100


class Fault(BaseModel):
    """One of several faults."""

    path: list[str | int] = Field(description="Where in the request it is.")
    message: str = Field(description="What is wrong, and what would be right.")
    code: str = Field(description="Which rule is broken, as `missing` or `string_type`.")


class Error(BaseModel):
    """What went wrong."""

    code: str = Field(description="The kind of error.", examples=["not_found"])
    message: str = Field(description="What was wrong, and what to do.")
    path: list[str | int] = Field(
        description="Where in the request the (first) fault is; empty: nowhere in particular.",
        examples=[["deployments", 0, "instances"]],
    )
    details: list[Fault] | None = Field(default=None, description="Every fault, where several.")
    request_id: str = Field(description="As in the header `x-request-id`, and in the log.")


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: Error


def describe(
    error: CupolaError, request_id: str, *, conditional: bool = False
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers.

    Args:
        conditional: The request had an `If-Match`.
    """
    said: dict[str, Any] = {
        "code": error.kind.value,
        "message": error.public,
        "path": list(error.path),
        "request_id": request_id,
    }
    if isinstance(error, Several):
        said["details"] = [
            {"path": list(each.path), "message": each.public, "code": each.code}
            for each in error.faults
        ]
    return _find_status(error, conditional), {"error": said}, _find_headers(error)


def install(app: FastAPI) -> None:
    """Let `app` say every error so."""
    app.add_exception_handler(CupolaError, _say)
    app.add_exception_handler(RequestValidationError, _say_invalid)
    app.add_exception_handler(HTTPException, _say_unrouted)
    app.add_exception_handler(Exception, _say_fault)


async def _say(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CupolaError)
    status, body, headers = describe(
        error, request.state.id, conditional="if-match" in request.headers
    )
    if error.private:
        request.state.log(error.private)
    return JSONResponse(body, status, headers)


async def _say_fault(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours; the framework raises it once more, for the edge to log."""
    return await _say(request, fault_of_ours(request.state.id))


def fault_of_ours(request_id: str) -> CupolaError:
    """What is said of an error that nobody foresaw."""
    return CupolaError(f"Something went wrong on our side. The log has it as {request_id}.")


async def _say_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [_read_fault(each) for each in error.errors()]
    return await _say(request, faults[0] if len(faults) == 1 else Several(faults))


async def _say_unrouted(request: Request, error: Exception) -> JSONResponse:
    """What the framework refuses: unknown paths and methods, and bodies that are no text."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return await _say(request, NotFound(f"There is nothing at {request.url.path[:200]!r}."))
    if error.status_code == 405:
        allowed = ", ".join(_find_methods(request, error))
        refusal = WrongMethod(f"{request.method[:20]} is not possible here; {allowed} are.")
        response = await _say(request, refusal)
        response.headers["allow"] = allowed
        return response
    return await _say(request, Malformed("The body is not JSON.", code=_JSON_INVALID))


def _find_methods(request: Request, error: HTTPException) -> Sequence[str]:
    """Of all routes of the path; the framework names those of the first only."""
    path = request.url.path
    for template, methods in request.app.openapi()["paths"].items():
        pattern = re.sub(r"\\{[^{}]+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            return sorted(method.upper() for method in methods)
    return (error.headers or {}).get("allow", "GET").split(", ")


def _read_fault(fault: Mapping[str, Any]) -> Malformed:
    """One of pydantic's faults. The value is not repeated: it may be a secret."""
    place, *path = fault["loc"]
    if fault["type"] == _JSON_INVALID:
        reason = fault.get("ctx", {}).get("error", "it cannot be read")
        return Malformed(f"The body is not JSON: {reason}.", code=_JSON_INVALID)
    message = fault["msg"].removeprefix("Value error, ")
    where = "" if path or place == "body" else f" ({place})"
    shown = [part if isinstance(part, int) else part[:_LONGEST_PATH_PART] for part in path]
    spot = ".".join(map(str, shown)) or f"the {place}"
    return Malformed(f"{spot}: {message}.{where}", code=fault["type"], path=shown)


def _find_status(error: CupolaError, conditional: bool) -> int:
    if isinstance(error, Stale) and conditional:
        return _PRECONDITION_FAILED
    if isinstance(error, Malformed) and error.code == _JSON_INVALID:
        return TABLE[Kind.INVALID]
    return TABLE[error.kind]


def _find_headers(error: CupolaError) -> dict[str, str]:
    headers = {}
    if error.kind is Kind.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    return headers
