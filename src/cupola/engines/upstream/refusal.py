"""What an upstream's error means to our callers.

Five shapes are read, since a service may answer in any of them (docs/reference/errors.md):

    nested    {"error": {"code", "message", "details"?}}
    flat      {"status", "code", "message", "detail": {"loc", "input"}}
    detail    {"detail": "..."}
    list      {"detail": [{"type", "loc", "msg", "input"}]}
    object    {"object": "error", "message", "type", "param", "code"}

A fault of the request is told to the caller in the upstream's words. A fault of ours (the key, the
address) is told to the log; callers learn no more than that the model cannot be had now.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from cupola.kit.errors import (
    CupolaError,
    EngineFailed,
    Filtered,
    Invalid,
    NotFound,
    RateLimited,
    TooLong,
    Unavailable,
    Unsupported,
)

_OF_MODEL: Final = "ms-azureml-model-error-statuscode"
"""What a managed endpoint's model said; the endpoint itself says 424 to all of it."""
HEADERS: Final = frozenset(
    ("retry-after", "retry-after-ms", "x-ms-retry-after-ms", "date", _OF_MODEL)
)
"""Those of a reply that say when to come back, and whose fault it is."""
FAILED: Final = "The model's provider failed while answering."
_MISCONFIGURED: Final = (
    "The model's provider does not serve this installation now. Whoever runs it finds the reason "
    "in the log."
)
_LONGEST: Final = 1000
"""Characters of the upstream's words that are handed on."""
_TOO_LONG: Final = ("context_length_exceeded", "maximum context length", "context window",
                    "exceed_context_size", "too large for model with")  # fmt: skip
_UNSUPPORTED: Final = ("parameter_not_supported", "unsupported_parameter", "unsupported_value")
_FILTERED: Final = ("content_filter", "ResponsibleAIPolicyViolation", "content_policy_violation")
_MOST_SECONDS: Final = 86_400.0
_MODELS_STATUSES: Final = frozenset(str(status) for status in range(400, 600))


class Told(Struct, frozen=True):
    """What an error's body says."""

    message: str = ""
    """Empty if nothing in it is for people."""
    code: str = ""
    path: tuple[str | int, ...] = ()


def read_refusal(
    status: int, body: bytes, headers: Mapping[str, str], *, missing: str = ""
) -> CupolaError:
    """The error that a reply with `status` other than 200 is.

    Args:
        missing: What 404 means, where something was asked for that many services do not have.
    """
    told = read_told(body)
    private = f"The upstream answered {status}: {told.code} {told.message or _show(body)}"
    if status == 424 and (inner := headers.get(_OF_MODEL, "")) in _MODELS_STATUSES:
        status = int(inner)
    if status in (400, 413, 422):
        return _blame_request(told, private)
    if status == 404 and missing:
        return NotFound(missing, private=private)
    if status == 429:
        return RateLimited(
            "The model's provider takes no more requests for now. Wait a while.",
            private=private,
            retry_after=read_pause(headers),
        )
    if status < 500 and status != 408:  # 3xx, too: a redirect could lead anywhere
        return Unavailable(_MISCONFIGURED, private=private)
    if status == 503 and (pause := read_pause(headers)) is not None:
        # Not a failed engine: that would be asked again at once, against its word.
        return Unavailable("The model's provider is busy.", private=private, retry_after=pause)
    return EngineFailed(FAILED, private=private)


def read_event_error(data: bytes) -> CupolaError:
    """The error that an event of a stream, or a reply with status 200, tells of."""
    told = read_told(data)
    if _is_among(told, _FILTERED):
        return Filtered(told.message or "The reply was filtered by the model's provider.")
    return EngineFailed(FAILED, private=f"The upstream told of: {told.code} {told.message}")


def read_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, by whichever header says it; None if none does."""
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001),
                       ("retry-after", 1.0)):  # fmt: skip
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds <= _MOST_SECONDS:
            return seconds
    return _read_date(headers)


def read_told(body: bytes) -> Told:
    """What the body says, in whichever shape."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Told()
    if not isinstance(value, dict):
        return Told()
    error = value.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else value
    detail = _first(inner.get("details")) or _first(value.get("detail")) or {}
    texts = (detail.get("msg"), inner.get("message"), error, value.get("detail"))
    return Told(
        next((_plain(text) for text in texts if isinstance(text, str) and text.strip()), ""),
        _find_code(inner),
        _read_path(detail.get("loc") or inner.get("param")),
    )


def _blame_request(told: Told, private: str) -> CupolaError:
    message = told.message or "The model's provider refused the request."
    if _is_among(told, _FILTERED):
        return Filtered(message, private=private)
    if _is_among(told, _TOO_LONG) or any(words in message.lower() for words in _TOO_LONG):
        return TooLong(message, private=private, path=told.path or ("messages",))
    if _is_among(told, _UNSUPPORTED):
        return Unsupported(message, private=private, path=told.path)
    return Invalid(message, private=private, path=told.path)


def _is_among(told: Told, codes: tuple[str, ...]) -> bool:
    return any(code in codes for code in told.code.split())


def _find_code(error: Mapping[str, Any]) -> str:
    """All words that might be a code, for services differ on where they put it."""
    within = error.get("innererror")
    inner = within.get("code") if isinstance(within, dict) else None
    words = [error.get("code"), error.get("type"), inner]
    return " ".join([_plain(str(word))[:100] for word in words if isinstance(word, str | int)])


def _first(details: Any) -> dict[str, Any] | None:
    if isinstance(details, list) and details:
        details = details[0]
    return details if isinstance(details, dict) else None


def _read_path(place: Any) -> tuple[str | int, ...]:
    """Where in the request; `messages.[0].role` of OpenAI's `param` is one word of a path."""
    steps = place if isinstance(place, list) else [place] if isinstance(place, str) else []
    path = [step for step in steps if isinstance(step, str | int)][:16]
    return tuple(path[1:] if path[:1] == ["body"] else path)


def _read_date(headers: Mapping[str, str]) -> float | None:
    """The pause that a date means, by the clock of the server that wrote it."""
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        pause = (until - parsedate_to_datetime(headers["date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None
    return pause if 0 <= pause <= _MOST_SECONDS else None


def _plain(text: str) -> str:
    """One line that may be shown and logged."""
    return "".join([c if c.isprintable() else " " for c in text[:_LONGEST]]).strip()


def _show(body: bytes) -> str:
    """The beginning of a body that says nothing for people, such as a proxy's page."""
    return _plain(body[:200].decode("utf-8", "replace"))
