"""What upstreams' errors, in all their shapes, mean to our callers."""

import json
from typing import Any

import pytest

from cupola.engines.upstream.refusal import Told, read_refusal, read_told
from cupola.kit.errors import (
    EngineFailed,
    Filtered,
    Invalid,
    NotFound,
    RateLimited,
    TooLong,
    Unavailable,
    Unsupported,
)

NESTED = {"error": {"code": "Invalid input", "status": 422, "message": "invalid input error",
                    "details": [{"type": "missing", "loc": ["body", "messages"],
                                 "msg": "Field required"}]}}  # fmt: skip
FLAT = {"status": 422, "code": "parameter_not_supported", "message": "One of the parameters ...",
        "detail": {"loc": ["body", "seed"], "input": 1, "msg": "No seed here."}}  # fmt: skip
DETAIL = {"detail": "Extra parameters ['n'] are not allowed"}
LIST = {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Not permitted"}]}
OBJECT = {"object": "error", "message": "Unexpected role", "type": "invalid_request_error",
          "param": None, "code": "3230"}  # fmt: skip
OPENAI = {"error": {"message": "Bad value", "type": "invalid_request_error", "param": "seed",
                    "code": None}}  # fmt: skip


def refuse(
    status: int, body: Any = None, headers: dict[str, str] | None = None, **more: Any
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_refusal(status, raw, headers or {}, **more)


@pytest.mark.parametrize(
    ("body", "message", "path"),
    [
        (NESTED, "Field required", ("messages",)),
        (FLAT, "No seed here.", ("seed",)),
        (DETAIL, "Extra parameters ['n'] are not allowed", ()),
        (LIST, "Not permitted", ("user",)),
        (OBJECT, "Unexpected role", ()),
        (OPENAI, "Bad value", ("seed",)),
        ({"error": "Unauthorized"}, "Unauthorized", ()),
        ({"statusCode": 401, "message": "Expired"}, "Expired", ()),
        ([1], "", ()),
        (None, "", ()),
        ({"error": {"message": {"a": 1}, "code": [], "details": [7]}, "detail": 3}, "", ()),
    ],
)
def test_every_shape_is_read(body: Any, message: str, path: Any):
    """The words for people and the place of the fault, wherever the service puts them."""
    told = read_told(json.dumps(body).encode())

    assert (message, path) == (told.message, told.path)


def test_a_proxys_page_is_nothing_to_tell():
    """HTML is for the log."""
    error = refuse(400, b"<html>Bad</html>")

    assert Told() == read_told(b"<html>Bad</html>")
    assert "The model's provider refused the request." == error.public
    assert "<html>Bad" in error.private


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, OBJECT, Invalid),
        (422, NESTED, Invalid),
        (422, FLAT, Unsupported),
        (413, OBJECT, Invalid),
        (400, {"error": {"code": "context_length_exceeded", "message": "Long"}}, TooLong),
        (400, {"message": "This model's maximum context length is 8192 tokens."}, TooLong),
        (400, {"error": {"code": "content_filter", "message": "No"}}, Filtered),
        (400, {"error": {"code": "x", "message": "No",
                         "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, Filtered),
        (401, OPENAI, Unavailable),
        (403, OPENAI, Unavailable),
        (404, OPENAI, Unavailable),
        (301, None, Unavailable),
        (429, OPENAI, RateLimited),
        (408, OPENAI, EngineFailed),
        (500, OPENAI, EngineFailed),
        (503, OPENAI, EngineFailed),
        (529, OPENAI, EngineFailed),
    ],
)  # fmt: skip
def test_kinds(status: int, body: Any, kind: Any):
    """Whose fault it is decides what the caller is told."""
    error = refuse(status, body)

    assert error.__class__ is kind
    assert f"answered {status}" in error.private


@pytest.mark.parametrize(
    ("said", "kind"),
    [("400", Invalid), ("422", Invalid), ("500", EngineFailed), ("", Unavailable),
     ("200", Unavailable), ("x", Unavailable)],
)  # fmt: skip
def test_a_managed_endpoint_says_424_for_its_model(said: str, kind: Any):
    """The header says what the model itself said: a bad request is still the caller's to mend."""
    error = refuse(424, OPENAI, {"ms-azureml-model-error-statuscode": said})

    assert error.__class__ is kind
    assert "answered 424" in error.private


@pytest.mark.parametrize("status", [301, 401, 403, 404, 500])
def test_what_is_not_the_callers_fault_stays_in_the_log(status: int):
    """A caller can do nothing about our key, and must not read about it."""
    error = refuse(status, {"error": {"message": "Incorrect API key at api.example"}})

    assert "example" not in error.public
    assert "Incorrect API key" in error.private


def test_a_service_without_text_completions():
    """The route is missing, as it is at any endpoint whose model only chats."""
    assert NotFound is type(refuse(404, None, missing="There is none."))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", "date": "Sat, 21 Nov 2026 10:00:00 GMT"},
         30.0),
        ({"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_how_long_to_wait(headers: dict[str, str], expected: float | None):
    """The provider's word is handed on; dates are read by its own clock."""
    assert expected == refuse(429, OPENAI, headers).retry_after


def test_a_busy_provider_that_says_how_long_is_not_asked_again_at_once():
    """It has not failed, so no other try is made for this request."""
    error = refuse(503, OPENAI, {"retry-after": "9"})

    assert (Unavailable, 9.0) == (type(error), error.retry_after)
