"""The first administrator's code: how a new installation is claimed by whoever started it.

Whoever comes first must not become administrator; only who can read the console may. The code is
printed there, works once, for an hour, and lives in memory alone: a restart makes another.
"""

import secrets
from hmac import compare_digest

from cupola.kit.clock import Clock

LIFETIME = 3600.0
"""Seconds."""


class FirstCode:
    """At most one code at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._code: str | None = None
        self._expires = 0.0

    def renew(self) -> str:
        """Another code; the one before is worthless now."""
        self._code = secrets.token_urlsafe(32)
        self._expires = self._clock.monotonic() + LIFETIME
        return self._code

    def matches(self, code: str) -> bool:
        """Whether it is the code, and still good."""
        if self._code is None or self._clock.monotonic() >= self._expires:
            return False
        return compare_digest(self._code.encode(), code.encode(errors="surrogatepass"))

    def spend(self) -> None:
        """It has been used, or is not needed any more."""
        self._code = None
