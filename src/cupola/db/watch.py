"""Noticing what other processes changed: one number in the database, read several times a second.

A command, or another server on the same database, commits; `Database.transaction` counts
`changes.number` up in the same transaction; here that is seen. Changes of this process need not
wait for it: whoever makes one calls `wake`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cupola.db.database import Database
from cupola.kit.clock import Clock, SystemClock
from cupola.kit.tasks import cancel, supervise

PERIOD: Final = 0.4
"""Seconds. What was revoked must not work for longer than one second, reading everything anew
included, which takes some hundredths of one with 1,000 endpoints."""
_PATIENCE: Final = 5.0
"""Seconds for one reading; a database that does not answer is as good as down."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchStatistics:
    """Since the process started."""

    changes: int
    """Times that something was told of."""
    failures: int
    """Times that the database could not be read."""
    age: float
    """Seconds since it was read last, and all that was in it was known."""


class Watch:
    """Calls `on_change` whenever the database has changed, one call after the other.

    If the database cannot be read, whoever listens keeps what it has, and is told as soon as that
    is over. An error of `on_change` counts as such a failure, and it is called again.
    """

    def __init__(
        self,
        database: Database,
        on_change: Callable[[], Awaitable[None]],
        period: float = PERIOD,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._database = database
        self._on_change = on_change
        self._period = period
        self._woken = asyncio.Event()
        self._seen: int | None = None
        self._is_down = False
        self._changes = self._failures = 0
        self._read_at = self._clock.monotonic()

    def wake(self) -> None:
        """Something changed, here or in what the database does not hold: tell of it at once."""
        self._seen = None
        self._woken.set()

    async def tell(self) -> None:
        """Tell of everything once, before the watch is under way. Raises what `on_change` does."""
        await self._on_change()

    def statistics(self) -> WatchStatistics:
        """The counts so far."""
        return WatchStatistics(
            self._changes, self._failures, self._clock.monotonic() - self._read_at
        )

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """In the background while the block runs."""
        task = supervise(self._run(), name="watch the database")
        try:
            yield
        finally:
            await cancel(task)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._look()
            except Exception as error:  # noqa: BLE001 (a supervised task's top: it must go on)
                self._note(error)
            await self._pause()

    async def _look(self) -> None:
        number = await self._database.count_changes()
        if number != self._seen:
            self._seen = number  # before it tells: a `wake` meanwhile is not to be lost
            try:
                await self._on_change()
            except BaseException:
                self._seen = None
                raise
            self._changes += 1
        self._read_at = self._clock.monotonic()
        if self._is_down:
            self._is_down = False
            _log.warning("The database can be read again.")

    def _note(self, error: Exception) -> None:
        self._failures += 1
        if not self._is_down:
            expected = isinstance(error, SQLAlchemyError | OSError | TimeoutError)
            _log.error(
                "The database cannot be read; what was known before goes on to count. %s",
                error,
                exc_info=None if expected else error,
            )
        self._is_down = True

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), self._period)
        self._woken.clear()
