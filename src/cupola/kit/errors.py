"""Errors: what went wrong, in words that belong to no protocol.

    CupolaError
    ├── Invalid            the caller's request cannot be served as written
    │   ├── Malformed      it is not JSON, or not of the right types
    │   │   └── Several    it has more than one such fault
    │   ├── ExtraField     it has a field that this route does not know
    │   ├── Unsupported    a parameter is known, but this model or engine lacks it
    │   └── TooLong        the prompt does not fit the model's context
    ├── TooLarge           the body is larger than we read
    ├── TooSlow            the caller did not finish sending in time
    ├── Unauthenticated    no key, or not one we know
    ├── Forbidden          the key is good, but not for this
    ├── NotFound           it does not exist, or this caller may not know that it does
    ├── WrongMethod        it exists, but cannot be used this way
    ├── Conflict           it exists already, or does not fit what is there
    │   └── Stale          it changed since the caller read it
    ├── RateLimited        the caller must wait; `retry_after` says how long
    ├── Filtered           content safety refused it
    └── Unavailable        we, or an engine, cannot serve it now
        └── EngineFailed   an engine died or broke its contract

Each wire dialect has one table from `Kind` to its own status and body; nothing else in the
platform knows a status code.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What a client can do about an error, and so all that a dialect may branch on."""

    INVALID = "invalid"
    MALFORMED = "malformed"
    EXTRA_FIELD = "extra_field"
    UNSUPPORTED = "unsupported"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    WRONG_METHOD = "wrong_method"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    FILTERED = "filtered"
    UNAVAILABLE = "unavailable"
    ENGINE_FAILED = "engine_failed"
    INTERNAL = "internal"


class CupolaError(Exception):
    """Base of every error raised on purpose.

    Args:
        public: Said to the caller. Never a host, a path, a prompt or another tenant's name.
        private: Said to the log only.
        path: Where in the request's JSON the fault is, as `("messages", 0, "role")`; empty if
            the fault is not in one place.
        value: The offending value, where showing it helps and it is short.
        retry_after: Seconds after which the same request may succeed; None if it never will.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(
        self,
        public: str,
        *,
        private: str = "",
        path: Sequence[str | int] = (),
        value: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(private or public)
        self.public = public
        self.private = private
        self.path = tuple(path)
        self.value = value
        self.retry_after = retry_after


class Invalid(CupolaError):
    """The caller's request cannot be served as written."""

    kind = Kind.INVALID


class Malformed(Invalid):
    """The body is not JSON, or a field has a wrong type or value.

    Args:
        code: What is wrong, in the vocabulary of pydantic's error types (`missing`,
            `json_invalid`, `string_type` ...), which clients of the Azure API know.
        context: What the rule compared with, as pydantic's `ctx`: `{"le": 1.0}`.
    """

    kind = Kind.MALFORMED

    def __init__(
        self,
        public: str,
        *,
        code: str = "value_error",
        context: Mapping[str, object] | None = None,
        private: str = "",
        path: Sequence[str | int] = (),
        value: object = None,
    ) -> None:
        super().__init__(public, private=private, path=path, value=value)
        self.code = code
        self.context = context or {}


class Several(Malformed):
    """More than one fault, told at once so that they can be mended at once.

    Args:
        faults: At least one; the first is also what this error itself says.
    """

    def __init__(self, faults: Sequence[Malformed]) -> None:
        first = faults[0]
        super().__init__(first.public, code=first.code, context=first.context, path=first.path)
        self.faults = tuple(faults)


class ExtraField(Invalid):
    """The body has fields at its root that this route does not know."""

    kind = Kind.EXTRA_FIELD


class Unsupported(Invalid):
    """A parameter is known, but this model or engine lacks it."""

    kind = Kind.UNSUPPORTED


class TooLong(Invalid):
    """The prompt does not fit the model's context."""

    kind = Kind.TOO_LONG


class TooLarge(CupolaError):
    """The body is larger than we read."""

    kind = Kind.TOO_LARGE


class TooSlow(CupolaError):
    """The caller did not finish sending in time."""

    kind = Kind.TOO_SLOW


class Unauthenticated(CupolaError):
    """No key was sent, or none that we know."""

    kind = Kind.UNAUTHENTICATED


class Forbidden(CupolaError):
    """The key is good, but not for this."""

    kind = Kind.FORBIDDEN


class NotFound(CupolaError):
    """It does not exist, or this caller may not know that it does."""

    kind = Kind.NOT_FOUND


class WrongMethod(CupolaError):
    """It exists, but cannot be used this way."""

    kind = Kind.WRONG_METHOD


class Conflict(CupolaError):
    """It exists already, or does not fit what is there."""

    kind = Kind.CONFLICT


class Stale(Conflict):
    """It changed since the caller read it: read it again, and decide anew."""


class RateLimited(CupolaError):
    """The caller must wait; `retry_after` says how long."""

    kind = Kind.RATE_LIMITED


class Filtered(CupolaError):
    """Content safety refused it."""

    kind = Kind.FILTERED


class Unavailable(CupolaError):
    """We, or an engine, cannot serve this now."""

    kind = Kind.UNAVAILABLE


class EngineFailed(Unavailable):
    """An engine died, or broke its contract, while serving."""

    kind = Kind.ENGINE_FAILED
