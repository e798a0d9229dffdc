"""How a database is reached: a SQLite file in the home, or PostgreSQL by its URL."""

from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from cupola.kit.errors import CupolaError

Location: TypeAlias = Path | str
"""A SQLite file, or the URL of a PostgreSQL database."""

WRITES: Final = "cupola_writes"
"""The execution option by which a transaction says that it will change something."""

_PATIENCE = 5.0
"""Seconds to wait for a connection, or for another process's write."""
_POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})


class DatabaseUnusable(CupolaError):
    """The database cannot be opened. Said to the person who runs Cupola."""


def open_engine(location: Location) -> AsyncEngine:
    """A pool of connections, none of them open yet.

    Raises:
        DatabaseUnusable: The URL is none, or what it needs is not installed.
    """
    if isinstance(location, Path):
        return _open_sqlite(location)
    try:
        return create_async_engine(
            read_url(location),
            pool_pre_ping=True,  # a database that was restarted is noticed before it is asked
            hide_parameters=True,
            connect_args={"timeout": _PATIENCE, "server_settings": {"application_name": "cupola"}},
        )
    except ModuleNotFoundError as error:
        raise DatabaseUnusable(
            "PostgreSQL needs Cupola's extra 'postgres': pip install 'cupola[postgres]'."
        ) from error


def read_url(text: str) -> URL:
    """The URL of a PostgreSQL database, for the driver that Cupola uses.

    Raises:
        DatabaseUnusable: It is none. The message does not repeat it: it may hold a password.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        url = URL.create("none")
    if url.drivername not in _POSTGRESQL or not url.database:
        raise DatabaseUnusable(
            "CUPOLA_DATABASE_URL should look like postgresql://USER@HOST:5432/DATABASE, or be "
            "empty for the SQLite file in the home. A password may stand in ~/.pgpass instead."
        )
    return url.set(drivername="postgresql+asyncpg")


def _open_sqlite(file: Path) -> AsyncEngine:
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
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
