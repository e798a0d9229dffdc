"""A ledger of each kind, to hold to the same promises."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cupola.db.database import Database
from cupola.metering.memory import MemoryRecords
from cupola.metering.ports import RecordStore, UsageStore
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.store import SqlUsage
from tests.sqlite import make_ledger


@dataclass(frozen=True, slots=True)
class Stores:
    """A ledger's two sides."""

    records: RecordStore
    usage: UsageStore


@asynccontextmanager
async def ledger(
    kind: str, folder: Path, create_postgresql: Callable[[], str]
) -> AsyncIterator[Stores]:
    """An empty one."""
    if kind == "memory":
        memory = MemoryRecords()
        yield Stores(memory, memory)
        return
    location: Path | str = folder / "ledger.db"
    if isinstance(location, Path) and kind == "sqlite":
        make_ledger(location)
        records: RecordStore = SqliteRecords(location)
    else:
        location = create_postgresql()
        records = PostgresqlRecords(location)
    database = Database(location)
    try:
        yield Stores(records, SqlUsage(database))
    finally:
        await records.close()
        await database.close()
