"""What the parts say of themselves, asked of real ones."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from cupola.app.gauges import FleetSource, LedgerSource, LimitSource, ProcessSource, WatchSource
from cupola.db.watch import WatchStatistics
from cupola.deployments.model import Address
from cupola.deployments.pool import DeploymentPool
from cupola.ids import DeploymentName, EndpointName
from cupola.kit.clock import FakeClock
from cupola.metering.writer import Ledger
from cupola.quotas.model import Bound, LimitKind, Limits, RedisStatistics, Scope
from cupola.quotas.service import Limiter
from cupola.telemetry.metrics import Source, render
from cupola.testing import MemoryCounters, MemoryRecords


def read(source: Source) -> dict[str, float]:
    """Each sample's value by its name and its labels' values."""
    text = "".join(render([source]))
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(found: Iterable[str]) -> set[str]:
    return {each.split()[0] for each in found}


async def test_limiter_says_what_it_refused():
    """By the kind of limit; those of Redis are there only where there is one."""
    limiter = Limiter(MemoryCounters(FakeClock()), FakeClock())
    bounds = [Bound(Scope("endpoint", "pilot"), Limits(requests_per_minute=1))]
    outcomes = [await limiter.admit(bounds, limiter.estimate("m", 1, 1)) for _ in range(3)]
    assert 3 == len(outcomes)

    found = read(LimitSource(limiter.statistics))
    assert 1 == found["cupola_limit_admitted_total"]
    assert 2 == found[f"cupola_limit_refusals_total {LimitKind.REQUESTS_PER_MINUTE.value}"]
    assert "cupola_redis_away" not in found
    away = LimitSource(limiter.statistics, lambda: RedisStatistics(2, 5, is_away=True))
    assert (1, 2, 5) == tuple(
        read(away)[f"cupola_redis_{name}"] for name in ("away", "outages_total", "failures_total")
    )


async def test_ledger_says_how_far_it_is(tmp_path: Path):
    """All that its statistics have, by names of its own."""
    ledger = Ledger(MemoryRecords(), tmp_path, FakeClock())
    await ledger.start()
    try:
        found = read(LedgerSource(ledger.statistics))
    finally:
        await ledger.close()

    assert {each.name for each in LedgerSource.families} == names(found)
    assert {0.0} == set(found.values())


async def test_deployment_says_who_waits():
    """Before the first plan nothing is known but that."""
    pool = DeploymentPool(lambda: None)
    place = Address(EndpointName("chat"), DeploymentName("blue"))
    waiting = asyncio.ensure_future(pool.wait_ready(5))
    await asyncio.sleep(0)

    found = read(FleetSource(lambda: [(place, pool)], lambda: 2))
    waiting.cancel()
    assert 1 == found["cupola_requests_waiting chat blue"]
    assert 0 == found["cupola_generations chat blue"]
    assert 2 == found["cupola_downloads"]


def test_watch_says_how_old_the_snapshot_is():
    """Its age is what to be warned by."""
    found = read(WatchSource(lambda: WatchStatistics(3, 4, 5.5)))

    assert [5.5, 3, 4] == [*found.values()]


def test_process_says_what_it_takes():
    """Memory and processor time are above nothing."""
    found = read(ProcessSource(1_700_000_000.0))

    assert found["process_resident_memory_bytes"] > 1e6
    assert found["process_cpu_seconds_total"] > 0
    assert 1_700_000_000.0 == found["process_start_time_seconds"]
