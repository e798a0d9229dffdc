"""Bringing a database's schema to the revision this code needs, at every start.

A current schema is recognised with one SQL statement, and an empty database gets the tables as the
code describes them, in one transaction. Only an older schema needs Alembic, whose import costs more
than all the rest of a start.
"""

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, text
from sqlalchemy.exc import DBAPIError

from cupola.db.engine import WRITES, DatabaseUnusable, Location, open_engine
from cupola.db.tables import changes, ledger, metadata, projects
from cupola.kit.clock import SystemClock
from cupola.kit.errors import CupolaError

HEAD = "0005"
"""The newest file in `migrations/versions`; a test keeps it so."""

_BEFORE_LEDGER = "0002"
"""The last revision that knows no tables of the ledger."""
LOCK: Final = 0x43555041
"""Of PostgreSQL, held while a schema is made or migrated; any number that nobody else locks."""
_versions = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)
"""As Alembic has it."""
_SCRIPTS = Path(__file__).with_name("migrations")


class SchemaTooNew(CupolaError):
    """A later Cupola wrote this database. Said to the person who runs Cupola."""


class Part(StrEnum):
    """Which of the tables lie in a database."""

    ALL = "all"
    """PostgreSQL has all in one."""
    MAIN = "main"
    LEDGER = "ledger"


def ensure_schema(location: Location) -> None:
    """Create the database's tables, or migrate them; do nothing if they are current.

    Raises:
        SchemaTooNew: A later version has been at work.
        DatabaseUnusable: It cannot be reached.
    """
    _ensure(location, Part.MAIN)


def ensure_ledger(file: Path) -> None:
    """The same for the ledger's own SQLite file."""
    _ensure(file, Part.LEDGER)


def _ensure(location: Location, part: Part) -> None:
    if find_revision(location) is None:
        create(location, part)
    if _find_work(location):
        upgrade(location, "head", part)


def _find_work(location: Location) -> bool:
    """Whether the schema is older than this code."""
    revision = find_revision(location)
    if revision is not None and revision > HEAD:
        raise SchemaTooNew(
            f"{_name(location)} was written by a later version of Cupola (schema {revision}; this "
            f"version knows {HEAD}). Start that version, or choose another folder with --home."
        )
    return revision != HEAD


def find_revision(location: Location) -> str | None:
    """The schema's revision; None for a database that is not there or empty."""
    if isinstance(location, Path):
        return _find_in_file(location)
    # Whoever asks may be in an event loop already, and this is not worth two ways of asking.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _read_revision(location)).result()


def create(location: Location, part: Part = Part.MAIN) -> None:
    """Make the tables in an empty database; nothing if another server has been there first."""
    part = part if isinstance(location, Path) else Part.ALL
    with ThreadPoolExecutor(1) as pool:  # as above
        pool.submit(asyncio.run, _create(location, part)).result()


async def _create(location: Location, part: Part) -> None:
    engine = open_engine(location)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**{WRITES: True})
            async with connection.begin():
                await connection.run_sync(_create_tables, part)
    finally:
        await engine.dispose()


def _create_tables(connection: Connection, part: Part) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    if inspect(connection).has_table(_versions.name):
        return
    _versions.create(connection)
    connection.execute(insert(_versions), {"version_num": HEAD})
    if part is not Part.MAIN:
        ledger.create_all(connection, checkfirst=False)
    if part is not Part.LEDGER:
        metadata.create_all(connection, checkfirst=False)
        connection.execute(insert(changes), {"id": 1, "number": 1})
        first = {"name": "default", "display_name": "", "version": 1}
        connection.execute(insert(projects), {**first, "created": int(SystemClock().now())})


def upgrade(location: Location, revision: str, part: Part = Part.MAIN) -> None:
    """Bring the schema to `revision`, which tests and restored backups name."""
    new_ledger = part is Part.LEDGER and find_revision(location) is None
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # seven lines of no use
    from alembic import command  # noqa: PLC0415  0.2 s and 12 MB that most starts do not need
    from alembic.config import Config  # noqa: PLC0415  as above

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["location"] = location
    config.attributes["part"] = part if isinstance(location, Path) else Part.ALL
    with ThreadPoolExecutor(1) as pool:
        if new_ledger:
            pool.submit(command.stamp, config, _BEFORE_LEDGER).result()
        pool.submit(command.upgrade, config, revision).result()


def _find_in_file(file: Path) -> str | None:
    """Without a pool of connections, which an ordinary start has no time for."""
    if not file.exists():
        return None
    with closing(sqlite3.connect(file)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:  # no such table
            return None
    return str(row[0]) if row else None


async def _read_revision(location: Location) -> str | None:
    engine = open_engine(location)
    try:
        async with engine.connect() as connection:
            try:
                found = await connection.execute(text("SELECT version_num FROM alembic_version"))
            except DBAPIError:  # no such table
                return None
            row = found.one_or_none()
    except (DBAPIError, OSError, TimeoutError) as error:
        raise DatabaseUnusable(
            f"{_name(location)} cannot be opened: {error.__cause__ or error}. Check that it runs, "
            "and CUPOLA_DATABASE_URL."
        ) from error
    finally:
        await engine.dispose()
    return str(row[0]) if row else None


def _name(location: Location) -> str:
    """For messages: without the URL, which may hold a password."""
    return str(location) if isinstance(location, Path) else "The PostgreSQL database"
