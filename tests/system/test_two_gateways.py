"""Two gateways on one PostgreSQL and one Redis: one ledger, and limits that hold for both."""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest
from sqlalchemy import select

from cupola.db import tables
from cupola.db.database import Database
from cupola.quotas.model import Bound, Limits, Scope
from cupola.quotas.store import SqlLimits
from tests.conftest import supply_model
from tests.postgresql import Cluster
from tests.redis_server import RedisServer
from tests.running import Running, cupola
from tests.system.test_metering import CLIENTS, ask, wait_for_look

MOST = 20


@pytest.fixture
def database(postgresql: Cluster) -> str:
    return postgresql.create()


@pytest.fixture
def gateways(
    database: str, redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Running]]:
    settings = {
        "CUPOLA_DATABASE_URL": database,
        "CUPOLA_REDIS_URL": redis.url,
        "CUPOLA_LIMITS_WITHOUT_REDIS": "closed",
    }
    one, two = (tmp_path_factory.mktemp(name) / "home" for name in ("one", "two"))
    supply_model(one)
    supply_model(two)
    with cupola(one, settings=settings) as first:
        ready = first.wait_ready()
        two.mkdir(exist_ok=True)
        shutil.copy(one / "secret.key", two / "secret.key")
        with cupola(two, settings=settings) as second:
            yield ready, second.wait_ready()


def put_limits(database: str, limits: Limits) -> None:
    async def put() -> None:
        opened = Database(database)
        await SqlLimits(opened).put(Bound(Scope("key", "pilot/primary"), limits))
        await opened.close()

    asyncio.run(put())


def read_requests(database: str) -> list[tuple[str, int, int]]:
    async def read() -> list[tuple[str, int, int]]:
        opened = Database(database)
        columns = tables.usage_records.c
        query = select(columns.request, columns.prompt, columns.completion)
        async with opened.reading() as connection:
            rows = (await connection.execute(query)).all()
        await opened.close()
        return [(row.request, row.prompt, row.completion) for row in rows]

    return asyncio.run(read())


async def test_both_together_keep_to_a_limit(gateways: Sequence[Running], database: str):
    """The key has used nothing as far as this limit goes, which counts from when it is set."""
    await asyncio.to_thread(put_limits, database, Limits(requests_per_minute=MOST))
    for server in (*gateways, *gateways):  # the look that was under way may have come too early
        await asyncio.to_thread(wait_for_look, server)
    turns = cycle(gateways)
    with ThreadPoolExecutor(CLIENTS) as pool:
        said = list(pool.map(ask, [next(turns) for _ in range(CLIENTS)]))

    admitted = [one for one in said if one.status == 200]
    # A Redis that is late counts as away, and what was asked of it then may have been counted.
    unsure = sum(one.status == 503 for one in said)
    assert {429} >= {one.status for one in said} - {200, 503}
    assert MOST - unsure <= len(admitted) <= MOST + 1
    records = await asyncio.to_thread(read_requests, database)
    assert {(one.id, one.prompt, one.completion) for one in admitted} <= set(records)
    assert not {one.id for one in said if one.status == 429} & {each[0] for each in records}
