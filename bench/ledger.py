"""What the ledger costs: `python -m bench.ledger [--rows 10000000] [--database-url URL]`.

1. *Settling* with full sync: a lone request's latency, beside what the disk's own flush takes in
   the same minute, and settlements a second of 64 at once.
2. *Questions* to a SQLite ledger of many rows: 95th percentile of each.
3. *Settling* again, into that ledger, and *exporting* from it with the memory that this takes.

With `--database-url` the first part is measured on that PostgreSQL database too; use an empty one.
"""

import argparse
import asyncio
import os
import resource
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import uvloop

from cupola.db.database import Database
from cupola.db.migration import ensure_ledger, ensure_schema
from cupola.ids import new_reply_id
from cupola.kit.clock import SystemClock
from cupola.metering.export import Format, export
from cupola.metering.memory import MemoryIntervals
from cupola.metering.model import DAY, HOUR, Ended, Opened, PriceBook
from cupola.metering.ports import RecordStore
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.service import Usage
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.store import SqlUsage
from cupola.metering.usage import SUMMED, Dimension, Group, Query
from cupola.metering.writer import Ledger

_END = 1_793_318_400
"""The midnight at which the generated rows end."""
_DAYS = 90
_ENDED = Ended(120, 200, "stop", 200, queue=0.001, first_token=0.2, total=1.5, replica="r1")
_ROUNDS = 20


def _open_request() -> Opened:
    names = ("project-1", "endpoint-1", "blue", "serverless", "key-1", "model-1", "azure")
    return Opened(new_reply_id(), time.time(), *names, "EUR", 1, 1_000_000, 2_000_000)


async def settle(store: RecordStore, what: str, seconds: float) -> None:
    """Print the latency of a lone settlement, and how many 64 make in a second."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(store, Path(folder), SystemClock())
        await ledger.start()
        flush, lone = [], []
        with tempfile.TemporaryFile(dir=folder) as file:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                flush.append(_flush(file.fileno()))
                lone.append(await _time(lambda: _settle_one(ledger)))
        rate, commits = await _settle_many(ledger, seconds)
        await ledger.close()
    print(
        f"{what}: a lone settlement p50 {_ms(median(lone))}, p99 {_ms(_percentile(lone, 99))}; "
        f"the disk's flush alone p50 {_ms(median(flush))}; "
        f"64 at once {rate:,.0f} settlements/s in {commits:,.0f} commits/s"
    )


def _flush(handle: int) -> float:
    start = time.perf_counter()
    os.write(handle, b"x" * 4096)
    os.fdatasync(handle)
    return time.perf_counter() - start


async def _settle_one(ledger: Ledger) -> None:
    await ledger.settle(ledger.open(_open_request()), _ENDED)


async def _settle_many(ledger: Ledger, seconds: float) -> tuple[float, float]:
    before, start = ledger.statistics(), time.perf_counter()

    async def work() -> None:
        while time.perf_counter() < start + seconds:
            await _settle_one(ledger)

    await asyncio.gather(*(work() for _ in range(64)))
    after, took = ledger.statistics(), time.perf_counter() - start
    return (after.written - before.written) / took, (after.commits - before.commits) / took


def hot_path(folder: Path) -> None:
    """Print what the synchronous steps take."""
    ledger = Ledger(SqliteRecords(folder / "none.db"), folder, SystemClock())
    requests = [_open_request() for _ in range(20_000)]
    start = time.perf_counter()
    lives = [ledger.open(request) for request in requests]
    opened = time.perf_counter()
    for live in lives:
        live.progress(120, 100)
    done = time.perf_counter()
    print(
        f"open {(opened - start) / len(lives) * 1e6:.1f} us, "
        f"progress {(done - opened) / len(lives) * 1e6:.2f} us"
    )


def generate(file: Path, rows: int) -> None:
    """Fill a ledger: 90 days, 8 projects, 40 endpoints, 160 keys, 6 models."""
    ensure_ledger(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name LIKE 'usage_records_%'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(_RECORDS, {"rows": rows, "end": _END, "days": _DAYS})
        for _, statement in indexes:
            connection.execute(statement)
        for table, grain in (("usage_hours", HOUR), ("usage_days", DAY)):
            connection.execute(_roll_up(table, grain))
        connection.execute("PRAGMA journal_mode = WAL")
        hours = connection.execute("SELECT count(*) FROM usage_hours").fetchone()[0]
    print(f"{rows:,} records, {hours:,} rows of hours, {file.stat().st_size / 2**20:,.0f} MiB")


_RECORDS = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :rows)
INSERT INTO usage_records SELECT
    NULL, lower(hex(randomblob(16))), :end - :days * 86400.0 + n * (:days * 86400.0 / :rows),
    'project-' || (n % 40 % 8), 'endpoint-' || (n % 40), 'blue', 'serverless',
    'key-' || (n % 8) || '-' || (n % 40 / 8 * 4 + n / 40 % 4), 'model-' || (n % 40 % 6), 'azure',
    100 + n % 100, 0, 50 + n % 400, 1, 'stop', CASE WHEN n % 97 THEN 200 ELSE 429 END,
    0.001, 0.2, 1.5, 'r1', 'EUR', 1, 1000 * (100 + n % 500)
FROM numbers
"""


def _roll_up(table: str, grain: int) -> str:
    columns = ", ".join(f'"{name}"' for name in (*Group._fields, *SUMMED))
    groups = ", ".join(f'"{name}"' for name in Group._fields[1:])
    order = ", ".join(str(number) for number in range(1, len(Group._fields) + 1))
    return (
        f"INSERT INTO {table} ({columns}) SELECT cast(time AS INTEGER) / {grain} * {grain}, "
        f"{groups}, count(*), sum(status >= 400), sum(prompt), sum(cached), sum(completion), "
        f"sum(cost) FROM usage_records GROUP BY {order}"
    )


def _questions() -> Iterator[tuple[str, Query]]:
    by = Dimension
    week, month, all_days = (_END - days * DAY for days in (7, 30, _DAYS))
    one = {by.PROJECT: frozenset({"project-3"})}
    yield "by hour, 7 days", Query(week, _END, (by.HOUR,))
    yield "by hour, 30 days", Query(month, _END, (by.HOUR,))
    for each in (by.DAY, by.PROJECT, by.MODEL, by.ENDPOINT, by.KEY, by.KIND):
        yield f"by {each}, {_DAYS} days", Query(all_days, _END, (each,))
    yield "by day and key, 30 days", Query(month, _END, (by.DAY, by.KEY))
    yield "by hour and model, one project, 7 days", Query(week, _END, (by.HOUR, by.MODEL), one)
    yield "by model, 29 days and 5 hours", Query(month + 19 * HOUR, _END, (by.MODEL,))
    yield f"by hour, {_DAYS} days", Query(all_days, _END, (by.HOUR,))


async def ask(usage: Usage) -> None:
    """Print what each question takes."""
    for what, query in _questions():
        took = [await _time(lambda query=query: usage.report(query)) for _ in range(_ROUNDS)]
        rows = len(await usage.report(query))
        print(f"  {what}: p95 {_ms(_percentile(took, 95))}, {rows:,} rows")


async def export_some(usage: Usage, limit: int) -> None:
    """Print what an export takes, and by how much the process grew."""
    before, start, size, pieces = _resident(), time.perf_counter(), 0, count()
    async for piece in export(usage.iter_records(0.0, 1e12), Format.CSV):
        size += len(piece)
        if next(pieces) * 200 >= limit:
            break
    took = time.perf_counter() - start
    grown = _resident() - before
    print(f"  export: {limit / took:,.0f} records/s, {size / 2**20:.0f} MiB, {grown:.1f} MiB more")


def _resident() -> float:
    """MiB at the most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _time(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


def _percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


async def main(rows: int, url: str, seconds: float, keep: Path | None) -> None:
    """Run all parts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hot_path(folder)
        ensure_ledger(folder / "empty.db")
        await settle(SqliteRecords(folder / "empty.db"), "SQLite, empty", seconds)
        if url:
            ensure_schema(url)
            await settle(PostgresqlRecords(url), "PostgreSQL", seconds)
        file = keep or folder / "ledger.db"
        if not file.exists():
            generate(file, rows)
        database = Database(file)
        usage = Usage(SqlUsage(database), MemoryIntervals(), PriceBook)
        await ask(usage)
        await settle(SqliteRecords(file), f"SQLite, {rows:,} records", seconds)
        await export_some(usage, min(rows, 500_000))
        await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--keep", type=Path, help="the ledger's file, made if it is not there")
    given = parser.parse_args()
    uvloop.run(main(given.rows, given.database_url, given.seconds, given.keep))
