"""Keeping replicas running, with replicas that die when told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from cupola.deployments.loop import Supervisor
from cupola.deployments.model import (
    FIRST_PAUSE,
    HEALTHY_AFTER,
    LONGEST_PAUSE,
    EndpointState,
    count_failures,
    pause_before_restart,
)
from cupola.engines.echo import EchoReplica
from cupola.kit.clock import SystemClock
from cupola.kit.errors import Unavailable


@dataclass
class Troubled(EchoReplica):
    """Counts its starts; fails the first few of them."""

    starts: int = 0
    failing: int = 0
    may_start: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        self.starts += 1
        await self.may_start.wait()
        if self.starts <= self.failing:
            raise Unavailable("The engine ended with exit code 1.", private="/a/path")
        await super().start()


@pytest.fixture
def replica() -> Troubled:
    return Troubled()


@pytest.fixture
async def pool(replica: Troubled) -> AsyncIterator[Supervisor]:
    pool = Supervisor([replica], SystemClock())
    await pool.start()
    yield pool
    await pool.stop()


async def test_waiters_wake_when_it_is_ready(pool: Supervisor, replica: Troubled) -> None:
    """Who waits for a replica is woken as soon as there is one."""
    waiting = asyncio.ensure_future(pool.wait_ready(5))
    await asyncio.sleep(0)
    assert (pool.state(), pool.reason()) == (EndpointState.STARTING, "The model is starting.")
    replica.may_start.set()

    assert await waiting
    assert [replica] == list(pool.ready())
    assert EndpointState.READY is pool.state()


async def test_waiting_has_an_end(pool: Supervisor) -> None:
    """Who waits in vain is told so in time."""
    assert not await pool.wait_ready(0.01)


async def test_dead_replica_is_out_at_once_and_back_soon(
    pool: Supervisor, replica: Troubled
) -> None:
    """A replica that ended is not offered again until it has started again."""
    replica.may_start.set()
    await pool.wait_ready(5)
    replica.fail()

    assert list(pool.ready()) == []
    assert await pool.wait_ready(3)
    assert (replica.starts, replica.state) == (2, "ready")


async def test_reason_says_how_it_ended_but_not_where(pool: Supervisor, replica: Troubled) -> None:
    """Callers learn why there is no replica, and no path of this machine."""
    replica.failing = 10
    replica.may_start.set()
    await asyncio.sleep(0.02)

    assert EndpointState.BACKING_OFF is pool.state()
    assert "exit code 1" in pool.reason()
    assert "/a/path" not in pool.reason()


async def test_stop_ends_all_for_good() -> None:
    """After a stop nothing runs, nothing starts again, and another stop does nothing."""
    replicas = [Troubled(), Troubled(), Troubled(failing=99)]
    for replica in replicas:
        replica.may_start.set()
    pool = Supervisor(replicas, SystemClock())
    await pool.start()
    await pool.wait_ready(5)
    await pool.stop()
    starts = [replica.starts for replica in replicas]
    await asyncio.sleep(2 * FIRST_PAUSE)
    await pool.stop()

    assert starts == [replica.starts for replica in replicas]
    assert {"stopped"} == {replica.state for replica in replicas}
    assert EndpointState.STOPPED is pool.state()
    assert not await pool.wait_ready(0.01)


async def test_one_dead_replica_of_two(pool: Supervisor) -> None:
    """As long as one replica is ready, the endpoint is."""
    replicas = [EchoReplica(), EchoReplica()]
    pool = Supervisor(replicas, SystemClock())
    await pool.start()
    await pool.wait_ready(5)
    await asyncio.sleep(0.01)
    replicas[0].fail()

    assert [replicas[1]] == list(pool.ready())
    assert EndpointState.READY is pool.state()
    await pool.stop()


def test_pauses_grow_and_are_bounded() -> None:
    """A replica that keeps failing is tried ever less often, but never given up."""
    pauses = [pause_before_restart(failures) for failures in range(1, 100)]

    assert pauses[0] == FIRST_PAUSE
    assert sorted(pauses) == pauses
    assert pauses[-1] == LONGEST_PAUSE


def test_failure_after_a_long_run_is_the_first() -> None:
    """What ran well for long is started again without a long pause."""
    assert count_failures(3, HEALTHY_AFTER - 1) == 4
    assert count_failures(3, HEALTHY_AFTER) == 1
