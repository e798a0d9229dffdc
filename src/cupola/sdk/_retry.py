"""When a request is sent again, and after how long: decided here, done by the transports.

    what happened                     sent again
    no connection was made            always: nothing was done
    the connection broke              unless the request may be done only once
    no reply in time                  never: the caller's patience is at its end
    429, 503                          always: the server did nothing; after `Retry-After`
    any other status                  never

A POST carries an `Idempotency-Key`, the same each time, by which the server recognises it.
"""

import random
from dataclasses import dataclass
from typing import Final

from cupola.sdk._request import Request

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
LONGEST_WAIT: Final = 30.0
"""Seconds that a server may ask to wait for; with more, the caller is told instead."""
_STATUSES: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a client is."""

    retries: int = 3
    """Times that a request is sent again; 0: never."""

    def after_fault(self, request: Request, tried: int, *, connected: bool) -> float | None:
        """Seconds to wait before sending again; None: do not.

        Args:
            tried: Times that it was sent.
            connected: Whether the server may have got it.
        """
        if tried > self.retries or (connected and not _is_repeatable(request)):
            return None
        return _pause(tried)

    def after_status(self, status: int, tried: int, retry_after: float | None) -> float | None:
        """The same, when a reply came."""
        if tried > self.retries or status not in _STATUSES:
            return None
        if retry_after is None:
            return _pause(tried)
        return retry_after if retry_after <= LONGEST_WAIT else None


def _is_repeatable(request: Request) -> bool:
    """A change bound to a version would be refused by its own first attempt."""
    return not request.once and (request.if_version is None or request.method == "GET")


def _pause(tried: int) -> float:
    """Doubles; half of it is chance, so that many callers do not come back at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tried - 1))
    return float(longest * random.uniform(0.5, 1.0))
