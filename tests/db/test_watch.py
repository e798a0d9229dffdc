"""Changes of other processes are noticed, and a database that is down is no catastrophe."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cupola.db.database import Database
from cupola.db.watch import PERIOD, Watch
from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import EndpointKind
from cupola.deployments.schemas import get_keys
from cupola.deployments.store import SqlEndpoints
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Directory
from cupola.gateway.publish import Publisher
from cupola.gateway.snapshot import Known, SnapshotBuilder
from cupola.ids import EndpointName, ModelName
from cupola.keys.service import Keyring
from cupola.testing import FakeClock, MemorySecret
from tests.gateway.fakes import HELLO, Caller, FixedPool, ScriptedReplica, saying, served
from tests.patience import until
from tests.sqlite import make_database

QUICK = 0.02


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    file = tmp_path / "cupola.db"
    make_database(file)
    database = Database(file)
    yield database
    await database.close()


async def commit(database: Database) -> None:
    """A change of anything."""
    async with database.transaction():
        pass


class Listener:
    """Counts; fails if told to."""

    def __init__(self) -> None:
        self.told = 0
        self.failing = False

    async def __call__(self) -> None:
        if self.failing:
            raise OSError("disk I/O error")
        self.told += 1


async def test_the_first_look_and_each_change_are_told(database: Database):
    """What changed before the watch began included; without a change nothing is."""
    listener = Listener()
    watch = Watch(database, listener, QUICK)
    async with watch.under_way():
        await until(lambda: listener.told == 1)
        await asyncio.sleep(5 * QUICK)
        assert 1 == listener.told
        await commit(database)
        await until(lambda: listener.told == 2)

    assert 2 == watch.statistics().changes


async def test_what_is_woken_does_not_wait(database: Database):
    """Nor does it need a change in the database: replicas come and go too."""
    listener = Listener()
    watch = Watch(database, listener, period=60)
    async with watch.under_way():
        await until(lambda: listener.told == 1)
        watch.wake()
        await until(lambda: listener.told == 2)
        await commit(database)
        watch.wake()
        await until(lambda: listener.told == 3)


async def test_an_outage_is_logged_once_and_counted(
    database: Database, caplog: pytest.LogCaptureFixture
):
    """Whoever listens is told again once it is over, though nothing changed meanwhile."""
    listener = Listener()
    watch = Watch(database, listener, QUICK)
    async with watch.under_way():
        await until(lambda: listener.told == 1)
        listener.failing = True
        await commit(database)
        await until(lambda: watch.statistics().failures > 3)
        listener.failing = False
        await until(lambda: listener.told == 2)
        await asyncio.sleep(3 * QUICK)

    levels = [record.levelname for record in caplog.records]
    assert ["ERROR", "WARNING"] == levels
    assert 2 == listener.told


async def test_a_database_that_is_gone_leaves_the_watch_alive(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    """Whatever the reading raises."""
    listener = Listener()
    watch = Watch(database, listener, QUICK)
    count = database.count_changes

    async def gone() -> int:
        raise ConnectionError("the server closed the connection")

    async with watch.under_way():
        await until(lambda: listener.told == 1)
        monkeypatch.setattr(database, "count_changes", gone)
        await until(lambda: watch.statistics().failures > 2)
        monkeypatch.setattr(database, "count_changes", count)
        await commit(database)
        await until(lambda: listener.told == 2)


async def test_a_key_revoked_by_another_process_stops(database: Database, tmp_path: Path):
    """At the next look, of which there are several a second, on one SQLite file; the other key goes
    on to work."""
    store, keyring = SqlEndpoints(database), Keyring(MemorySecret())
    pilot = served(FixedPool([ScriptedReplica(saying(*HELLO))]))
    await store.add(
        made := make_endpoint(
            EndpointName("pilot"), EndpointKind.SERVERLESS, ModelName("M"), 0, "sed_1"
        )
    )

    async def read() -> Known:
        return Known(await store.list())

    directory = Directory()
    publisher = Publisher(directory, SnapshotBuilder(keyring, lambda *_: pilot), read)
    caller = Caller(Gateway(directory, keyring.digest, FakeClock()))
    pair = get_keys(made, keyring)

    async def status(key: str) -> int:
        return (await caller.call("/endpoints/pilot/info", key=key)).status

    async with Watch(database, publisher.publish).under_way():
        await until(lambda: len(directory.snapshot.keys) == 2)
        assert 200 == await status(pair.primary)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.db.changer", str(tmp_path), "pilot"
        )
        assert 0 == await process.wait()

        async def is_refused() -> bool:
            return await status(pair.primary) != 200

        await until(is_refused)

    assert PERIOD <= 0.5
    assert (401, 200) == (await status(pair.primary), await status(pair.secondary))
