import asyncio
from pathlib import Path

from cupola.db.database import Database
from cupola.kit.clock import SystemClock
from cupola.metering.model import UsageRecord
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.store import SqlUsage
from cupola.metering.usage import Dimension, Query
from cupola.metering.writer import Ledger
from tests.metering.samples import ENDED, NOON, opened
from tests.postgresql import Cluster


async def test_two_gateways_add_to_the_same_roll_ups(postgresql: Cluster, tmp_path: Path):
    """Two writers of one PostgreSQL ledger lose nothing of each other's, nor wait in a circle."""
    url = postgresql.create(template="test1")
    seen: list[UsageRecord] = []

    async def run(name: str) -> int:
        folder = tmp_path / name
        await asyncio.to_thread(folder.mkdir)
        ledger = Ledger(PostgresqlRecords(url), folder, SystemClock(), on_durable=seen.append)
        await ledger.start()

        async def work(number: int) -> None:
            for turn in range(20):
                request = opened(model=f"m{(number + turn) % 5}", time=NOON + 3600 * (turn % 7))
                await ledger.settle(ledger.open(request), ENDED)

        await asyncio.gather(*(work(number) for number in range(16)))
        failures = ledger.statistics().failures
        await ledger.close()
        return failures

    failures = await asyncio.gather(run("one"), run("two"))
    database = Database(url)
    query = Query(int(NOON), int(NOON) + 8 * 3600, (Dimension.HOUR, Dimension.MODEL))
    rows = await SqlUsage(database).sum(query, 1000)
    await database.close()

    assert [0, 0] == failures
    assert 640 == len(seen) == sum(row.sums.requests for row in rows)
    assert 35 == len(rows)
