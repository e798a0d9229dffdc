"""Passwords: hashed with argon2id, slowly, beside the event loop, a few at a time.

One verification costs 64 MiB and tens of milliseconds of a core, which is the point of it; so only
two run at once, and whoever finds too many waiting is told to come back.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from cupola.kit.errors import Malformed, RateLimited

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 10
LONGEST = 256
"""Characters. A limit, because hashing reads all of what a stranger sends."""
_AT_ONCE = 2
_WAITING = 32

T = TypeVar("T")


class Passwords:
    """Hashes and verifies.

    Args:
        hasher: The cost of a hash; argon2-cffi's default is the second choice of RFC 9106.
    """

    def __init__(self, hasher: "PasswordHasher | None" = None) -> None:
        self._given = hasher
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._room = threading.BoundedSemaphore(_WAITING)
        self._decoy: str | None = None

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # noqa: PLC0415  most starts see no password

        return self._given or PasswordHasher()

    async def hash(self, password: str) -> str:
        """What may be stored of a password.

        Raises:
            Malformed: It is too short or too long.
        """
        check_password(password)
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether it is the one; None, of somebody who has none, takes as long and is never."""
        if len(password) > LONGEST or not _is_text(password):
            return False  # no stored one is like that, whoever's it is
        return await self._run(lambda: self._verify(known, password))

    def is_outdated(self, known: str) -> bool:
        """Whether a hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """Let the threads go; nothing can be verified afterwards."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, known: str | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415  as above

        if self._decoy is None:
            self._decoy = self._hasher.hash(secrets.token_urlsafe())
        try:
            return self._hasher.verify(known or self._decoy, password) and known is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise RateLimited(
                "Too many sign-ins at once. Try again in a few seconds.", retry_after=3
            )
        future = self._threads.submit(work)
        # Not in a `finally` here: a caller who hangs up leaves a thread that still works.
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, _done: "Future[T]") -> None:
        self._room.release()


def check_password(password: str) -> None:
    """Refuse what is too short to be a secret; no rule of characters, which make worse ones."""
    if len(password) < SHORTEST:
        raise Malformed(
            f"A password needs at least {SHORTEST} characters. A few words make a good one.",
            code="string_too_short",
            context={"min_length": SHORTEST},
            path=("password",),
        )
    if len(password) > LONGEST:
        raise Malformed(
            f"A password may have at most {LONGEST} characters.",
            code="string_too_long",
            context={"max_length": LONGEST},
            path=("password",),
        )
    if not _is_text(password):
        raise Malformed(
            "The password has a character that is none (half of a pair). Leave it out.",
            code="string_unicode",
            path=("password",),
        )


def _is_text(password: str) -> bool:
    """Whether it can be written as UTF-8, which is what is hashed."""
    return not any("\ud800" <= c <= "\udfff" for c in password)
