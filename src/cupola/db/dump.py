"""All rows of a database as lines of JSON, and back: the same for SQLite and PostgreSQL.

    {"table": "projects", "row": {"name": "default", ...}}

Tables come in an order in which none refers to a later one. Bytes are base64. The schema's revision
belongs to the lines, so that lines of an older schema go into that schema and are then migrated.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, MetaData, Table, delete, func, insert, select, text

from cupola.db.database import Database
from cupola.db.engine import Location, open_engine
from cupola.db.migration import Part, find_revision, upgrade
from cupola.db.tables import metadata
from cupola.kit.errors import Conflict, Invalid

_AT_ONCE = 500
"""Rows handed over together."""
_NUMBERED = {"audit": "sequence", "prices": "version", "usage_records": "sequence"}
"""Tables whose rows the database numbers, and the numbers' columns."""


async def dump_rows(database: Database, of: MetaData = metadata) -> AsyncIterator[bytes]:
    """Lines of all rows, as they were at one moment, while others go on changing them.

    Args:
        of: The tables; those of the ledger are dumped by themselves.
    """
    async with database.reading() as connection:
        for table in of.sorted_tables:
            rows = await connection.stream(select(table).execution_options(yield_per=_AT_ONCE))
            async for row in rows:
                columns = {f"{name}": value for name, value in row._mapping.items()}
                yield msgspec.json.encode({"table": f"{table.name}", "row": columns}) + b"\n"


def is_empty(location: Location) -> bool:
    """Whether nobody has used the database yet."""
    return find_revision(location) is None


def load_rows(
    location: Location, revision: str, lines: Iterable[bytes], part: Part = Part.MAIN
) -> None:
    """Fill a database that is not there or empty, then bring it to the newest schema.

    Args:
        part: Of a SQLite file, which part of the schema; PostgreSQL takes lines of both.

    Raises:
        Conflict: There is something in it already.
        Invalid: A line is none of `dump_rows`.
    """
    if not is_empty(location):
        raise Conflict("The database is in use already; a backup is restored into an empty one.")
    try:
        upgrade(location, revision, part)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _load(location, lines)).result()
        upgrade(location, "head", part)
    except BaseException:
        make_empty(location)
        raise


def make_empty(location: Location) -> None:
    """As it was, so that the next try is not refused."""
    if isinstance(location, Path):
        for suffix in ("", "-wal", "-shm"):
            location.with_name(f"{location.name}{suffix}").unlink(missing_ok=True)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, _drop_all(location)).result()


async def _drop_all(location: Location) -> None:
    engine = open_engine(location)
    found = MetaData()
    try:
        async with engine.begin() as connection:
            await connection.run_sync(found.reflect)
            await connection.run_sync(found.drop_all)
    finally:
        await engine.dispose()


async def _load(location: Location, lines: Iterable[bytes]) -> None:
    engine = open_engine(location)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_fill, lines)
    finally:
        await engine.dispose()


def _fill(connection: Connection, lines: Iterable[bytes]) -> None:
    found = MetaData()
    found.reflect(connection)
    for table in reversed(found.sorted_tables):
        if table.name != "alembic_version":
            connection.execute(delete(table))  # what migrations put into a new database
    for number, line in enumerate(lines, 1):
        table, row = _read(found, number, line)
        connection.execute(insert(table).values(**row))
    if connection.dialect.name == "postgresql":
        _continue_numbering(connection, found)


def _read(found: MetaData, number: int, line: bytes) -> tuple[Table, Mapping[str, Any]]:
    try:
        entry = msgspec.json.decode(line, type=_Entry)
        table = found.tables[entry.table]
        columns = {name: table.columns[name] for name in entry.row}
    except (msgspec.DecodeError, KeyError) as error:
        raise Invalid(f"Line {number} of the backup's rows does not fit its schema.") from error
    binary = {name for name, column in columns.items() if isinstance(column.type, LargeBinary)}
    return table, {
        name: base64.b64decode(value) if name in binary else value
        for name, value in entry.row.items()
    }


class _Entry(msgspec.Struct):
    table: str
    row: dict[str, Any]


def _continue_numbering(connection: Connection, found: MetaData) -> None:
    """PostgreSQL numbers rows from a counter of its own, which inserted numbers do not move."""
    for name, column in _NUMBERED.items():
        table = found.tables.get(name)
        if table is None:
            continue
        last = connection.execute(select(func.max(table.c[column]))).scalar_one()
        if last is not None:
            query = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            connection.execute(query, {"table": name, "column": column, "last": last})
