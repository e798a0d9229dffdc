"""Signing in a command line by a browser elsewhere, in the manner of RFC 8628.

    the command          asks for a pair of codes, shows the short one, and polls with the long one
    its person           opens the page, signs in, types the short code, reads what asks, confirms

        waiting --approve--> approved --poll--> (gone, with a token)
        waiting --deny-----> denied   --poll--> (gone)
        any     --ten minutes------------------> (gone)

Everything is in memory and bounded: a restart ends all, and the command asks again.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cupola.identity.model import User
from cupola.kit.clock import Clock
from cupola.kit.errors import RateLimited

EXPIRES_IN: Final = 600
"""Seconds."""
INTERVAL: Final = 5
"""Seconds between two polls; each too early adds as many (RFC 8628, section 3.5)."""
_MOST: Final = 200
_MOST_OF_ONE: Final = 10
"""Waiting at once, in all and from one address."""
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowel, so no word; nothing that looks like something else (RFC 8628, section 6.1)."""
_CHARACTERS: Final = 8
"""34 bits: guessing takes a signed-in person, and tries of theirs are counted."""


class Refusal(StrEnum):
    """Why a poll gets no token; RFC 8628's words."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired_token"
    DENIED = "access_denied"


@dataclass(frozen=True, slots=True)
class Codes:
    """What a command gets at first."""

    device_code: str
    user_code: str
    """As people see it: `BCDF-GHJK`."""


@dataclass(slots=True)
class Waiting:
    """A command that waits for its person."""

    label: str
    """What it calls itself: believed by nobody."""
    source: str
    """The address that asked."""
    expires: float
    interval: int = INTERVAL
    polled: float | None = None
    user: User | None = None
    denied: bool = False


class DeviceSignIns:
    """The commands that wait for their person."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_device: dict[str, Waiting] = {}
        self._by_user: dict[str, Waiting] = {}

    def begin(self, label: str, source: str) -> Codes:
        """New codes.

        Raises:
            RateLimited: Too many wait already.
        """
        self._sweep()
        mine = sum(1 for one in self._by_device.values() if one.source == source)
        if mine >= _MOST_OF_ONE or len(self._by_device) >= _MOST:
            raise RateLimited(
                "Too many sign-ins wait for confirmation. Finish one, or try again in ten minutes.",
                retry_after=60,
            )
        waiting = Waiting(label, source, self._clock.monotonic() + EXPIRES_IN)
        device_code, user_code = secrets.token_urlsafe(32), self._new_user_code()
        self._by_device[device_code] = self._by_user[user_code] = waiting
        return Codes(device_code, f"{user_code[:4]}-{user_code[4:]}")

    def find(self, user_code: str) -> Waiting | None:
        """Who waits under a code, as typed: small letters, hyphens and spaces do not matter."""
        self._sweep()
        waiting = self._by_user.get(normalise(user_code))
        return waiting if waiting and waiting.user is None and not waiting.denied else None

    def approve(self, user_code: str, user: User) -> bool:
        """The next poll gets a token of this user; False: nobody waits under the code."""
        waiting = self.find(user_code)
        if waiting is not None:
            waiting.user = user
        return waiting is not None

    def deny(self, user_code: str) -> bool:
        """The next poll is told so; False: nobody waits under the code."""
        waiting = self.find(user_code)
        if waiting is not None:
            waiting.denied = True
        return waiting is not None

    def poll(self, device_code: str) -> Waiting | Refusal:
        """Whose the command is now (with `user` set), once; or why not yet, or never."""
        self._sweep()
        waiting = self._by_device.get(device_code)
        if waiting is None:
            return Refusal.EXPIRED
        if self._is_early(waiting):
            return Refusal.SLOW_DOWN
        if waiting.user is None and not waiting.denied:
            return Refusal.PENDING
        self._remove(waiting)
        return Refusal.DENIED if waiting.user is None else waiting

    def _is_early(self, waiting: Waiting) -> bool:
        now = self._clock.monotonic()
        early = waiting.polled is not None and now - waiting.polled < waiting.interval - 0.5
        waiting.polled = now
        if early:
            waiting.interval += INTERVAL
        return early

    def _new_user_code(self) -> str:
        while True:
            code = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
            if code not in self._by_user:
                return code

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for waiting in [one for one in self._by_device.values() if one.expires <= now]:
            self._remove(waiting)

    def _remove(self, waiting: Waiting) -> None:
        self._by_device = {k: one for k, one in self._by_device.items() if one is not waiting}
        self._by_user = {k: one for k, one in self._by_user.items() if one is not waiting}


def normalise(user_code: str) -> str:
    """A short code as it was made, from what a person typed."""
    return "".join(c for c in user_code.upper() if c.isalnum())
