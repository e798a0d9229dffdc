"""The open database: a pool of connections, and transactions on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from cupola.db.tables import changes

# Seconds to wait for another process's write: a command may read while the server writes.
_PATIENCE = 5.0


class Database:
    """Transactions on one SQLite file, whose schema `migration.ensure_schema` brought up to date.

    The write-ahead log lets readers and one writer work at once, and survives kill -9; with
    `synchronous = FULL` a commit also survives a power cut.

    What is opened inside a transaction joins it, so that a change and its line in the audit log are
    there together or not at all.
    """

    def __init__(self, file: Path) -> None:
        self._engine = _open(file)
        self._current: ContextVar[AsyncConnection | None] = ContextVar("transaction", default=None)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One unit of work: committed when the outermost block ends well, else rolled back.

        It is meant for changes: SQLite has one writer at a time, and this waits to be it.
        """
        current = self._current.get()
        if current is not None:
            yield current
            return
        options = {"cupola_writes": True}
        async with self._engine.connect() as connection:
            await connection.execution_options(**options)
            async with connection.begin():
                token = self._current.set(connection)
                try:
                    yield connection
                    await connection.execute(update(changes).values(number=changes.c.number + 1))
                finally:
                    self._current.reset(token)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; of the transaction it is in, if it is in one. Waits for no writer."""
        current = self._current.get()
        if current is not None:
            yield current
            return
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()


def _open(file: Path) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": _PATIENCE})
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    """SQLite forgets these settings with each connection, and has foreign keys off by default."""
    connection.isolation_level = None  # we begin transactions: Python's sqlite3 begins them late
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes its place at once: one that began as a reader could only fail."""
    writes = connection.get_execution_options().get("cupola_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
