import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cupola.db.migration import ensure_ledger
from cupola.kit.clock import SystemClock
from cupola.kit.errors import Unavailable
from cupola.metering.memory import MemoryRecords
from cupola.metering.model import INTERRUPTED, UsageRecord, close_request
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.writer import LARGEST_SPOOL, Ledger
from tests.metering.samples import ENDED, opened
from tests.patience import until


class Moody(MemoryRecords):
    """A ledger that can be away, and that counts how it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def write(self, records: Sequence[UsageRecord]) -> None:
        self.asked += 1
        await self.gate.wait()
        if self.away:
            raise Unavailable("The ledger cannot be written now.")
        self.batches.append(len(records))
        await super().write(records)

    async def requests(self) -> list[str]:
        return [each.request for _, each in await self.page((0.0, 0), 1e12, {}, 10**6)]


@asynccontextmanager
async def _started(
    store: Moody,
    folder: Path,
    *,
    largest_spool: int = LARGEST_SPOOL,
    on_durable: Callable[[UsageRecord], None] = lambda record: None,
) -> AsyncIterator[Ledger]:
    ledger = Ledger(
        store, folder, SystemClock(), largest_spool=largest_spool, on_durable=on_durable
    )
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.close()


def _die(ledger: Ledger) -> None:
    """End like a killed process: nothing is written any more, and the lock is let go."""
    for task in ledger._tasks:
        task.cancel()
    ledger._journal.close()


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_settled_is_durable(tmp_path: Path):
    """Whoever waits for the settlement finds the record in the ledger, and the slot is free."""
    store = Moody()
    seen: list[UsageRecord] = []
    async with _started(store, tmp_path, on_durable=seen.append) as ledger:
        live = ledger.open(request := opened())
        await ledger.settle(live, ENDED)

        assert [request.request] == await store.requests()
        assert [close_request(request, ENDED)] == seen
        assert (0, 0, 1, 1) == (
            ledger.statistics().open,
            ledger.statistics().waiting,
            ledger.statistics().written,
            ledger.statistics().commits,
        )
    assert [] == _files(tmp_path)


async def test_settled_once(tmp_path: Path):
    """A second settlement of the same request is a fault of the caller."""
    async with _started(Moody(), tmp_path) as ledger:
        live = ledger.open(opened())
        await ledger.settle(live, ENDED)
        live.progress(1, 1)  # late, and harmless
        with pytest.raises(RuntimeError, match="settled already"):
            ledger.settle(live, ENDED)


async def test_commits_are_shared(tmp_path: Path):
    """Records that come while one is being written go together into the next commit."""
    store = Moody()
    async with _started(store, tmp_path) as ledger:
        store.gate.clear()
        first = ledger.settle(ledger.open(opened()), ENDED)
        await until(lambda: store.asked)
        others = [ledger.settle(ledger.open(opened()), ENDED) for _ in range(63)]

        assert not first.done()
        assert 64 == ledger.statistics().waiting
        await until(lambda: ledger.statistics().lag > 0)
        store.gate.set()
        await asyncio.gather(first, *others)
    assert [1, 63] == store.batches


async def test_caller_that_gives_up(tmp_path: Path):
    """Whether anybody still waits makes no difference to the record."""
    store = Moody()
    async with _started(store, tmp_path) as ledger:
        store.gate.clear()
        future = ledger.settle(ledger.open(opened()), ENDED)
        future.cancel()
        store.gate.set()
    assert 1 == len(await store.requests())


async def test_database_away(tmp_path: Path):
    """Records are durable all the same, and in the ledger once it is back."""
    store = Moody()
    async with _started(store, tmp_path) as ledger:
        store.away = True
        requests = [opened() for _ in range(50)]
        for request in requests:
            await ledger.settle(ledger.open(request), ENDED)
        said = ledger.statistics()

        assert (50, 0, True) == (said.spooled, said.open, said.failures > 0)
        assert [] == await store.requests()
        store.away = False
        await until(lambda: ledger.statistics().spooled == 0)
        assert sorted(each.request for each in requests) == sorted(await store.requests())
        assert 0 == ledger.statistics().spool_size


async def test_database_comes_back_under_load(tmp_path: Path):
    """Those who go on settling do not keep the spool from being emptied, nor wait for a database
    that takes long to say that it is away."""
    store = Moody()
    async with _started(store, tmp_path) as ledger:
        store.away = True
        await ledger.settle(ledger.open(opened()), ENDED)
        running, settled = True, 0

        async def work() -> None:
            nonlocal settled
            while running:
                await ledger.settle(ledger.open(opened()), ENDED)
                settled += 1

        workers = [asyncio.ensure_future(work()) for _ in range(8)]
        asked = store.asked
        store.gate.clear()  # it says nothing
        await until(lambda: store.asked > asked)
        before = settled
        await until(lambda: settled > before + 8)
        store.away = False
        store.gate.set()
        await until(lambda: ledger.statistics().spooled == 0)
        running = False
        await asyncio.gather(*workers)
        total = settled + 1
    assert total == len(await store.requests())


async def test_fault_of_the_store(tmp_path: Path):
    """A store that fails in a way nobody thought of ends neither the writer nor a record."""
    store = Moody()

    async def write(records: Sequence[UsageRecord]) -> None:
        raise ZeroDivisionError

    async with _started(store, tmp_path) as ledger:
        store.write = write  # type: ignore[method-assign]
        await ledger.settle(ledger.open(opened()), ENDED)

        assert 1 == ledger.statistics().spooled
        del store.write
        await until(lambda: ledger.statistics().spooled == 0)
    assert 1 == len(await store.requests())


async def test_nothing_expires_while_records_wait(tmp_path: Path):
    """Else an old record could be taken for new, and counted twice."""
    store = Moody()
    async with _started(store, tmp_path) as ledger:
        await ledger.settle(ledger.open(opened()), ENDED)
        store.away = True
        await ledger.settle(ledger.open(opened()), ENDED)

        assert 0 == await ledger.expire(1e12)
        store.away = False
        await until(lambda: ledger.statistics().spooled == 0)
        assert 2 == await ledger.expire(1e12)


async def test_full_spool_admits_nothing(tmp_path: Path):
    """What was admitted is kept until it can be written; nothing new is, until then."""
    store = Moody()
    async with _started(store, tmp_path, largest_spool=500) as ledger:
        store.away = True
        lives = [ledger.open(opened()) for _ in range(4)]
        await ledger.settle(lives[0], ENDED)
        await ledger.settle(lives[1], ENDED)
        for live in lives[2:]:
            with pytest.raises(Unavailable, match="spool is full"):
                await ledger.settle(live, ENDED)

        with pytest.raises(Unavailable, match="spool cannot take more"):
            ledger.open(opened())
        assert (2, 2) == (ledger.statistics().spooled, ledger.statistics().waiting)
        store.away = False
        await until(lambda: ledger.statistics().open == 0)
        await ledger.settle(ledger.open(opened()), ENDED)
        assert 5 == len(await store.requests())


async def test_dead_process(tmp_path: Path):
    """What a killed process had in spool and slots is in the ledger after the next start."""
    store = Moody()
    dead = Ledger(store, tmp_path, SystemClock())
    await dead.start()
    store.away = True
    spooled, running, ended = opened(), opened(), opened()
    await dead.settle(dead.open(spooled), ENDED)
    live = dead.open(running)
    live.progress(3, 4)
    dead.settle(dead.open(ended), ENDED)
    _die(dead)
    store.away = False
    async with _started(store, tmp_path) as ledger:
        assert 3 == ledger.statistics().recovered
    found = {each.request: each for _, each in await store.page((0.0, 0), 1e12, {}, 10)}

    assert close_request(spooled, ENDED) == found[spooled.request]
    assert close_request(ended, ENDED) == found[ended.request]
    assert (INTERRUPTED, 3, 4) == (
        found[running.request].finish,
        found[running.request].prompt,
        found[running.request].completion,
    )
    assert [] == _files(tmp_path)


async def test_dead_process_while_database_is_away(tmp_path: Path):
    """What it left is safe with the next process, and in the ledger when that can reach it."""
    store = Moody()
    dead = Ledger(store, tmp_path, SystemClock())
    await dead.start()
    dead.open(opened())
    _die(dead)
    store.away = True
    async with _started(store, tmp_path) as ledger:
        assert 1 == ledger.statistics().spooled
    store.away = False
    async with _started(store, tmp_path):
        assert 1 == len(await store.requests())
    assert [] == _files(tmp_path)


async def test_close_ends_what_runs(tmp_path: Path):
    """An orderly stop records what is still in progress, without waiting for a next start."""
    store = Moody()
    async with _started(store, tmp_path) as ledger:
        ledger.open(opened()).progress(1, 2)
    [(_, record)] = await store.page((0.0, 0), 1e12, {}, 10)

    assert (INTERRUPTED, 1, 2, False) == (
        record.finish,
        record.prompt,
        record.completion,
        record.counted,
    )


async def test_file_that_is_gone(tmp_path: Path):
    """A ledger's file that was moved away is missed, not made anew; back, it takes what waited."""
    file, moved = tmp_path / "ledger.db", tmp_path / "moved.db"
    ensure_ledger(file)
    store = SqliteRecords(file)
    folder = tmp_path / "journals"
    folder.mkdir()
    file.rename(moved)
    ledger = Ledger(store, folder, SystemClock())
    await ledger.start()
    await ledger.settle(ledger.open(opened()), ENDED)

    assert 1 == ledger.statistics().spooled
    assert not file.exists()
    moved.rename(file)
    await until(lambda: ledger.statistics().spooled == 0)
    await ledger.close()
