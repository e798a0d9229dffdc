import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from cupola.db.database import Database
from cupola.db.migration import ensure_ledger
from cupola.kit.clock import SystemClock
from cupola.metering.model import DAY, HOUR, INTERRUPTED, UsageRecord, close_request
from cupola.metering.ports import RecordStore
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.store import SqlUsage
from cupola.metering.usage import Dimension, Query, Sums, roll_up
from cupola.metering.writer import Ledger
from tests.metering.samples import ENDED, NOON, opened
from tests.metering.victim import begin, end
from tests.patience import until
from tests.postgresql import Cluster

_MOST_LINES = 400
"""That a writer says before it is killed; many more than it has at once."""


def _kill_one(place: str, folder: Path, chance: random.Random) -> list[tuple[str, str]]:
    """Start a writer and kill it at some moment of its work; returns what it said it had done."""
    line = [sys.executable, "-m", "tests.metering.victim", place, str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        enough = chance.randrange(1, _MOST_LINES)  # a time would be another on every machine
        said = b"".join(victim.stdout.readline() for _ in range(enough))
        os.kill(victim.pid, signal.SIGKILL)
        said += victim.stdout.read()
    lines = [each.split() for each in said.decode().splitlines(keepends=True) if each[-1] == "\n"]
    return [(verb, request) for verb, request in lines]


async def _read(ledger: Database) -> list[UsageRecord]:
    usage, after = SqlUsage(ledger), (0.0, 0)
    found: list[UsageRecord] = []
    while page := await usage.page(after, 1e12, {}, 5000):
        found.extend(record for _, record in page)
        after = page[-1][0]
    return found


async def _sums(ledger: Database, by: Dimension) -> dict[int, Sums]:
    query = Query(int(NOON) - 400 * DAY, int(NOON) + 400 * DAY, (by,))
    return {int(row.group[0]): row.sums for row in await SqlUsage(ledger).sum(query, 10**6)}


def _by_start(records: list[UsageRecord], grain: int) -> dict[int, Sums]:
    found: dict[int, Sums] = {}
    for group, sums in roll_up(records, grain).items():
        found.setdefault(group.start, Sums()).add(sums)
    return found


def _check(said: list[tuple[str, str]], records: list[UsageRecord]) -> None:
    """Everything acknowledged is there as it was, everything admitted is there, all of it once."""
    known = {record.request: record for record in records}
    acknowledged = [request for verb, request in said if verb == "ack"]

    assert len(known) == len(records)
    assert {request for _, request in said} <= known.keys()
    for request in acknowledged:
        assert close_request(begin(request), end(request)) == known[request]
    for request, record in known.items():
        ended = end(request)
        if record.finish == INTERRUPTED:
            assert record.prompt in (0, ended.prompt)
            assert record.completion in (0, ended.prompt - 10)
        else:
            assert close_request(begin(request), ended) == record


@asynccontextmanager
async def _recovered(
    store: RecordStore, place: Path | str, folder: Path
) -> AsyncIterator[Database]:
    """The ledger after one more start has put in what was left."""
    ledger = Ledger(store, folder, SystemClock())
    await ledger.start()
    await ledger.close()
    database = Database(place)
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 40), ("postgresql", 20)])
async def test_killed_writers_lose_nothing(
    kind: str, kills: int, tmp_path: Path, request: pytest.FixtureRequest
):
    """Of writers killed at any moment nothing acknowledged is lost, and nothing is there twice."""
    folder = tmp_path / "journals"
    folder.mkdir()
    store: RecordStore
    place: Path | str = tmp_path / "ledger.db"
    if kind == "sqlite":
        ensure_ledger(tmp_path / "ledger.db")
        store = SqliteRecords(tmp_path / "ledger.db")
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        place = cluster.create(template="test1")
        store = PostgresqlRecords(place)
    chance = random.Random()
    said = []
    for _ in range(kills):
        said += await asyncio.to_thread(_kill_one, str(place), folder, chance)

    async with _recovered(store, place, folder) as database:
        records = await _read(database)
        _check(said, records)
        assert len([verb for verb, _ in said if verb == "ack"]) > kills
        assert _by_start(records, HOUR) == await _sums(database, Dimension.HOUR)
        assert _by_start(records, DAY) == await _sums(database, Dimension.DAY)


async def test_killed_connections_lose_nothing(postgresql: Cluster, tmp_path: Path):
    """PostgreSQL ends the writer's connection again and again: every record is there once."""
    url = postgresql.create(template="test1")
    ledger = Ledger(PostgresqlRecords(url), tmp_path, SystemClock())
    await ledger.start()
    requests = [opened() for _ in range(2000)]
    queue = iter(requests)
    settled = 0

    async def work() -> None:
        nonlocal settled
        for each in queue:
            await ledger.settle(ledger.open(each), ENDED)
            settled += 1

    async def disturb() -> None:
        connection = await asyncpg.connect(url)
        for times in range(15):
            await until(lambda: settled >= 100 * times)  # noqa: B023  awaited at once
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'cupola ledger' AND datname = current_database()"
            )
        await connection.close()

    await asyncio.gather(disturb(), *(work() for _ in range(16)))
    failures = ledger.statistics().failures
    await ledger.close()

    async with _recovered(PostgresqlRecords(url), url, tmp_path) as database:
        records = await _read(database)
        assert sorted(each.request for each in requests) == sorted(each.request for each in records)
        assert _by_start(records, HOUR) == await _sums(database, Dimension.HOUR)
    assert failures > 0
