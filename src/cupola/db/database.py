"""The open database: a pool of connections, and transactions on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

# Seconds to wait for another process's write: a command may read while the server writes.
_PATIENCE = 5.0


class Database:
    """Transactions on one SQLite file, whose schema `migration.ensure_schema` brought up to date.

    The write-ahead log lets readers and one writer work at once, and survives kill -9; with
    `synchronous = FULL` a commit also survives a power cut.
    """

    def __init__(self, file: Path) -> None:
        self._engine = _open(file)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One unit of work: committed when the block ends well, else rolled back."""
        async with self._engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()


def _open(file: Path) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": _PATIENCE})
    event.listen(engine.sync_engine, "connect", _configure)
    return engine


def _configure(connection: Any, _record: object) -> None:
    """SQLite forgets these settings with each connection, and has foreign keys off by default."""
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
