"""The ledger in a SQLite file of its own, written by one thread.

The thread has the one connection that writes, so nothing ever waits for a lock, and a commit costs
what the disk's flush costs. Readers have their own connections (`store`).
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from cupola.kit.errors import Unavailable
from cupola.kit.worker import Worker
from cupola.metering.model import HOUR, UsageRecord
from cupola.metering.statements import add_sums, insert_record
from cupola.metering.usage import SUMMED, Group, Sums, roll_up, roll_up_hours

T = TypeVar("T")

_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit survives a power cut
    "wal_autocheckpoint = 4000",  # 16 MB: one flush of the file for hundreds of commits
    "cache_size = -32768",  # KiB
)
_INSERT: Final = insert_record()
_ADD_HOURS: Final = add_sums("usage_hours")
_ADD_DAYS: Final = add_sums("usage_days")
_read_sums: Final = attrgetter(*SUMMED)
_EXPIRE: Final = (
    "DELETE FROM usage_records WHERE sequence IN (SELECT sequence FROM usage_records "
    "WHERE time < ? ORDER BY time, sequence LIMIT ?)"
)


class SqliteRecords:
    """A `RecordStore` on a file whose schema `db.migration.ensure_ledger` brought up to date."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = Worker("ledger")
        self._open: sqlite3.Connection | None = None

    async def write(self, records: Sequence[UsageRecord]) -> None:
        await self._do(partial(_write, records))

    async def expire(self, before: float, limit: int) -> int:
        return await self._do(lambda connection: _expire(connection, before, limit))

    async def close(self) -> None:
        await self._thread.do(self._close)
        self._thread.stop()

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._thread.do(partial(self._run, work))
        except sqlite3.Error as error:
            raise Unavailable(
                "The ledger cannot be written now.", private=f"{self._file}: {error}"
            ) from error

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._open or self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._close()  # which rolls back; a file that was moved away is opened anew
            raise
        return result

    def _connect(self) -> sqlite3.Connection:
        # `mode=rw`: a file that is gone is an error, not a new and empty ledger.
        self._open = sqlite3.connect(
            f"{self._file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None
        )
        for pragma in _PRAGMAS:
            self._open.execute(f"PRAGMA {pragma}")
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _write(records: Sequence[UsageRecord], connection: sqlite3.Connection) -> None:
    execute = connection.execute
    fresh = [
        record
        for record in records
        if execute(_INSERT, msgspec.structs.astuple(record)).rowcount == 1
    ]
    hours = roll_up(fresh, HOUR)
    connection.executemany(_ADD_HOURS, starmap(_row, hours.items()))
    connection.executemany(_ADD_DAYS, starmap(_row, roll_up_hours(hours).items()))


def _row(group: Group, sums: Sums) -> tuple[str | int, ...]:
    return (*group, *_read_sums(sums))


def _expire(connection: sqlite3.Connection, before: float, limit: int) -> int:
    return connection.execute(_EXPIRE, (before, limit)).rowcount
