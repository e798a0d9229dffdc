"""A home whose ledger has many rows: months of requests to hundreds of endpoints.

The tables are the product's own, made by its migrations. Rows are put in by SQL, a hundred times
faster than by its writer, and then held against what the writer would have made: days that are
read back by the product's own pages and rolled up by its own function, and the sums of all.

Endpoints are asked as they are in life, a few of them most of the time: the busiest has a seventh
of all requests, the least busy one in a thousand, yet nearly every endpoint something every hour.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cupola.db.database import Database
from cupola.db.migration import ensure_ledger, ensure_schema
from cupola.db.tables import projects
from cupola.deployments.model import EndpointKind
from cupola.deployments.service import make_endpoint
from cupola.deployments.store import SqlEndpoints
from cupola.home import Home
from cupola.ids import EndpointName, ModelName, ProjectName
from cupola.metering.model import DAY, HOUR, UsageRecord
from cupola.metering.store import SqlUsage
from cupola.metering.usage import SUMMED, Group, roll_up

DAYS: Final = 90
ENDPOINTS: Final = 400
PROJECTS: Final = 200
MODELS: Final = 12
_KEYS: Final = 3
"""That an endpoint is asked with: its own first, and two of its project."""
_PAGE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Filled:
    """A home, and the midnight at which its rows end."""

    home: Path
    rows: int
    end: int

    @property
    def ledger(self) -> Path:
        return Home(self.home).ledger


def fill(home: Path, rows: int, end: int) -> Filled:
    """Make a home of so many records that end at a midnight; verified before it is used."""
    place = Home(home)
    place.prepare()
    ensure_schema(place.database)
    ensure_ledger(place.ledger)
    began = time.perf_counter()
    asyncio.run(_add_endpoints(place.database))
    with closing(sqlite3.connect(place.ledger, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"):
            connection.execute(f"PRAGMA {pragma}")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name LIKE 'usage_records_%'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(_RECORDS, {"rows": rows, "end": end, "days": DAYS})
        for _, statement in indexes:
            connection.execute(statement)
        for start in range(end - DAYS * DAY, end, DAY):
            connection.execute(_roll_up_records(), (start, start + DAY))
        connection.execute(_roll_up_hours())
        connection.execute("PRAGMA journal_mode = WAL")
    filled = Filled(home, rows, end)
    took = time.perf_counter() - began
    asyncio.run(verify(filled))
    print(f"{describe(filled)}, filled in {took:,.0f} s and verified", flush=True)
    return filled


def find(home: Path) -> Filled:
    """What an earlier run filled, and may have added to."""
    with closing(sqlite3.connect(Home(home).ledger)) as connection:
        rows = connection.execute("SELECT count(*) FROM usage_records").fetchone()[0]
        first = connection.execute("SELECT min(start) FROM usage_days").fetchone()[0]
    filled = Filled(home, rows, first + DAYS * DAY)
    print(describe(filled), flush=True)
    return filled


def describe(filled: Filled) -> str:
    with closing(sqlite3.connect(filled.ledger)) as connection:
        hours, days = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("usage_hours", "usage_days")
        )
    size = filled.ledger.stat().st_size / 2**20
    return (
        f"{filled.rows:,} records of {DAYS} days, {ENDPOINTS} endpoints, {PROJECTS} projects, "
        f"{_KEYS * ENDPOINTS:,} keys; {hours:,} rows of hours, {days:,} of days; {size:,.0f} MiB"
    )


async def verify(filled: Filled) -> None:
    """Raise unless the roll-ups are what the product would have made of the records."""
    database = Database(filled.ledger)
    try:
        for day in (0, DAYS // 2, DAYS - 1):
            start = filled.end - (day + 1) * DAY
            records = await _read(SqlUsage(database), start, start + DAY)
            for table, grain in (("usage_hours", HOUR), ("usage_days", DAY)):
                made = roll_up(records, grain)
                expected = {group: tuple(getattr(made[group], x) for x in SUMMED) for group in made}
                if expected != _read_rows(filled.ledger, table, start):
                    raise SystemExit(f"{table} is not what the records of a day come to.")
    finally:
        await database.close()
    with closing(sqlite3.connect(filled.ledger)) as connection:
        sums = ", ".join(f"sum({name})" for name in SUMMED)
        totals = {
            connection.execute(f"SELECT {sums} FROM {table}").fetchone()
            for table in ("usage_hours", "usage_days")
        }
        totals.add(connection.execute(_TOTAL).fetchone())
    if len(totals) > 1:
        raise SystemExit(f"Records, hours and days do not sum up to the same: {totals}.")


async def _read(usage: SqlUsage, start: float, end: float) -> Sequence[UsageRecord]:
    found: list[UsageRecord] = []
    after = (start, 0)
    while page := await usage.page(after, end, {}, _PAGE):
        found += [record for _, record in page]
        after = page[-1][0]
    return found


def _read_rows(file: Path, table: str, start: int) -> dict[Group, tuple[int, ...]]:
    columns = _names((*Group._fields, *SUMMED))
    width = len(Group._fields)
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(
            f"SELECT {columns} FROM {table} WHERE start >= ? AND start < ?", (start, start + DAY)
        )
        return {Group(*row[:width]): row[width:] for row in rows}


async def _add_endpoints(file: Path) -> None:
    """Projects and endpoints that the server knows, by the names that the records have."""
    database = Database(file)
    store = SqlEndpoints(database)
    rows = [
        {"name": f"project-{i}", "display_name": "", "created": 0, "version": 1}
        for i in range(PROJECTS)
    ]
    async with database.transaction() as connection:
        await connection.execute(projects.insert(), rows)
        for i in range(ENDPOINTS):
            name, model = EndpointName(f"endpoint-{i}"), ModelName("Cupola-Pilot")
            made = make_endpoint(name, EndpointKind.SERVERLESS, model, i, key_seed=f"sed_{i}")
            await store.add(replace(made, project=ProjectName(f"project-{i % PROJECTS}")))
    await database.close()


_RECORDS = f"""
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :rows),
chances(n, a, b) AS (
    SELECT n, n * 2654435761 % 4294967296 / 4294967296.0, n * 40503 % 65536 FROM numbers
),
asked(n, e, b) AS (SELECT n, cast({ENDPOINTS} * a * a * a AS INTEGER), b FROM chances)
INSERT INTO usage_records SELECT
    NULL, lower(hex(randomblob(16))), :end - :days * {DAY}.0 + n * (:days * {DAY}.0 / :rows),
    'project-' || (e % {PROJECTS}), 'endpoint-' || e, CASE WHEN e % 10 THEN 'blue' ELSE 'green' END,
    CASE WHEN e % 5 = 0 THEN 'managed' WHEN e % 17 = 1 THEN 'upstream' ELSE 'serverless' END,
    CASE b % {_KEYS} WHEN 0 THEN 'primary' ELSE 'key_' || (e % {PROJECTS}) || '_' || (b % {_KEYS})
    END, 'model-' || (e % {MODELS}), 'azure', 100 + b % 100, b % 64, 50 + b % 400, 1,
    CASE WHEN b % 97 THEN 'stop' ELSE 'error' END, CASE WHEN b % 97 THEN 200 ELSE 502 END,
    0.001, 0.2, 1.5, 'r' || (e % 7), 'EUR', 1, 1000 * (100 + b % 500)
FROM asked
"""
_TOTAL = (
    "SELECT count(*), sum(status >= 400 OR status = 0), sum(prompt), sum(cached), sum(completion), "
    "sum(cost) FROM usage_records"
)


def _roll_up_records() -> str:
    """The hours of a day, from its records."""
    groups = _names(Group._fields[1:])
    order = ", ".join(str(number) for number in range(1, len(Group._fields) + 1))
    return (
        f"INSERT INTO usage_hours ({_names((*Group._fields, *SUMMED))}) "
        f"SELECT cast(time AS INTEGER) / {HOUR} * {HOUR}, {groups}, count(*), "
        "sum(status >= 400 OR status = 0), sum(prompt), sum(cached), sum(completion), sum(cost) "
        f"FROM usage_records WHERE time >= ? AND time < ? GROUP BY {order}"
    )


def _roll_up_hours() -> str:
    groups = _names(Group._fields[1:])
    order = ", ".join(str(number) for number in range(1, len(Group._fields) + 1))
    sums = ", ".join(f"sum({name})" for name in SUMMED)
    return (
        f"INSERT INTO usage_days ({_names((*Group._fields, *SUMMED))}) "
        f"SELECT start / {DAY} * {DAY}, {groups}, {sums} FROM usage_hours GROUP BY {order}"
    )


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
