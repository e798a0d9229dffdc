"""The writer alone: settlements lone and among many, at a pace, and beside deletion."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median, quantiles

from cupola.ids import new_reply_id
from cupola.kit.clock import SystemClock
from cupola.kit.tasks import cancel, supervise
from cupola.metering.loop import expire_records
from cupola.metering.model import Ended, Opened
from cupola.metering.ports import RecordStore
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.writer import Ledger

_ENDED = Ended(120, 200, "stop", 200, queue=0.001, first_token=0.2, total=1.5, replica="r1")
_PACE = 2000
"""Requests a second that the ledger has to keep up with."""
_TICK = 0.005


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


async def ingest(file: Path, seconds: float) -> None:
    """Print what becomes of requests that come at a pace, whether earlier ones are durable or
    not."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(SqliteRecords(file), Path(folder), SystemClock())
        await ledger.start()
        began, used = time.perf_counter(), time.process_time()
        took, lag, late = await _press(ledger, _PACE, seconds)
        rate, share = len(took) / (time.perf_counter() - began), time.process_time() - used
        commits = ledger.statistics().commits
        await ledger.close()
    print(
        f"ingest for {seconds:.0f} s: {rate:,.0f} settlements/s of {_PACE:,} asked for, in "
        f"{commits / seconds:,.0f} commits/s; a settlement p50 {_ms(median(took))}, p99 "
        f"{_ms(_percentile(took, 99))}, at most {_ms(max(took))}; lag at most {_ms(lag)}; the "
        f"load itself was late by {_ms(late)}; {share / seconds:.0%} of a core",
        flush=True,
    )


async def _press(ledger: Ledger, pace: int, seconds: float) -> tuple[list[float], float, float]:
    """Settle so many a second: how long each took, the longest lag, and how late it was begun."""
    took: list[float] = []
    lag = late = 0.0
    under_way: set[asyncio.Future[None]] = set()
    began, done = time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        due = int(now * pace) - done
        late = max(late, due / pace - _TICK)
        for _ in range(due):
            under_way.add(_begin(ledger, took, under_way))
        done += due
        lag = max(lag, ledger.statistics().lag)
        await asyncio.sleep(_TICK)
    while under_way:
        await asyncio.wait([*under_way])
    return took, lag, late


def _begin(
    ledger: Ledger, took: list[float], under_way: set[asyncio.Future[None]]
) -> asyncio.Future[None]:
    start = time.perf_counter()
    future = ledger.settle(ledger.open(_open_request()), _ENDED)

    def end(ended: asyncio.Future[None]) -> None:
        ended.result()
        took.append(time.perf_counter() - start)
        under_way.discard(ended)

    future.add_done_callback(end)
    return future


async def expire(file: Path, days: int, seconds: float) -> None:
    """Print how fast old records go, and how long a settlement waits meanwhile, beside without."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(SqliteRecords(file), Path(folder), SystemClock())
        await ledger.start()
        alone, _, _ = await _press(ledger, 200, seconds / 3)
        deleted = 0

        async def delete(before: float, limit: int) -> int:
            nonlocal deleted
            found = await ledger.expire(before, limit)
            deleted += found
            return found

        deleting = supervise(expire_records(delete, SystemClock(), days), name="retention")
        beside, _, _ = await _press(ledger, 200, seconds)
        await cancel(deleting)
        await ledger.close()
    print(
        f"retention: {deleted / seconds:,.0f} records deleted a second; beside it a settlement "
        f"p50 {_ms(median(beside))}, p99 {_ms(_percentile(beside, 99))}, at most "
        f"{_ms(max(beside))}; without it p50 {_ms(median(alone))}, p99 "
        f"{_ms(_percentile(alone, 99))}, at most {_ms(max(alone))}",
        flush=True,
    )


async def _time(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


def _percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
