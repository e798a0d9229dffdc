"""Everything that a call can raise.

CupolaError
├── Unreachable         no reply came: no connection, or it broke
│   └── TimedOut        not in time
├── BadReply            a reply came that is none of Cupola's management API
├── OperationFailed     what was started ended badly, or not in time
└── Refused             the server said no, and why
    ├── Invalid             400, 405, 422: the request cannot be served as written
    ├── Unauthenticated     401: sign in (again)
    ├── Forbidden           403: signed in, but without the right
    ├── NotFound            404: it is not there, or you may not know that it is
    ├── Conflict            409: it exists already, or does not fit what is there
    │   └── Stale           412: it changed since it was read
    ├── TooLarge            413
    ├── RateLimited         429: wait `retry_after` seconds
    ├── Unavailable         503: try again later
    └── ServerFailed        any other status: a fault of the server's
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final


class CupolaError(Exception):
    """Base of all that the SDK raises."""


class Unreachable(CupolaError):
    """No reply came; whether the request was carried out is not known."""


class TimedOut(Unreachable):
    """No reply came in time."""


class BadReply(CupolaError):
    """What answered is not the management API, or speaks it in a form unknown here."""


class OperationFailed(CupolaError):
    """What was started has not succeeded; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(CupolaError):
    """The server said no.

    Attributes:
        code: What kind of no, for programs: `not_found`, `authorization_pending` ...
        message: What was wrong, for people.
        path: Where in the request's JSON the fault is; empty if not in one place.
        mend: What to do about it; may be empty.
        details: Each fault, if there were several.
        request_id: By which the server's log names the request.
        retry_after: Seconds after which the same request may succeed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        path: Sequence[str | int] = (),
        mend: str = "",
        details: Sequence[Mapping[str, Any]] = (),
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.path = tuple(path)
        self.mend = mend
        self.details = tuple(details)
        self.request_id = request_id
        self.retry_after = retry_after


class Invalid(Refused):
    """The request cannot be served as written."""


class Unauthenticated(Refused):
    """No token was sent, or one that is not valid any more."""


class Forbidden(Refused):
    """The token is good, but its user lacks the right."""


class NotFound(Refused):
    """It is not there, or this user may not know that it is."""


class Conflict(Refused):
    """It exists already, or does not fit what is there."""


class Stale(Conflict):
    """It changed since it was read: read it again, and decide anew."""


class TooLarge(Refused):
    """The request is larger than the server reads."""


class RateLimited(Refused):
    """Too much was asked; `retry_after` says how long to wait."""


class Unavailable(Refused):
    """The server cannot do this now."""


class ServerFailed(Refused):
    """A fault of the server's; `request_id` finds it in its log."""


BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    412: Stale,
    413: TooLarge,
    422: Invalid,
    429: RateLimited,
    503: Unavailable,
}


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """The error that a reply of 400 or more stands for, whatever its body is."""
    error = _find_error(body)
    path, details = error.get("path"), error.get("details")
    return BY_STATUS.get(status, ServerFailed)(
        status,
        str(error.get("message") or f"The server replied with status {status}."),
        code=str(error.get("code") or ""),
        path=path if isinstance(path, list) else (),
        mend=str(error.get("mend") or ""),
        details=[each for each in details if isinstance(each, dict)]
        if isinstance(details, list)
        else (),
        request_id=str(error.get("request_id") or headers.get("x-request-id", "")),
        retry_after=read_seconds(headers.get("retry-after", "")),
    )


def read_seconds(text: str) -> float | None:
    """A `Retry-After` of seconds; None for none, and for a date, which Cupola never sends."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return None


def _find_error(body: bytes) -> Mapping[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, IndexError):
        return {}
    return error if isinstance(error, dict) else {"message": str(error)}
