"""Keeping one replica running, with replicas that die when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest

from cupola.deployments.loop import Keeper, Surroundings
from cupola.deployments.model import (
    FIRST_PAUSE,
    HEALTHY_AFTER,
    LONGEST_PAUSE,
    DeploymentState,
    Spec,
    count_failures,
    pause_before_restart,
)
from cupola.deployments.ports import Order
from cupola.deployments.situation import Cohort, Phase
from cupola.ids import ModelName, ReplicaId
from tests.deployments.worlds import Troubled
from tests.patience import until
from tests.timelapse import LoopClock

ORDER = Order(ReplicaId("rep_1"), "pilot-pilot-1", Cohort(Spec(ModelName("M"))), None)


@pytest.fixture
def replica() -> Troubled:
    return Troubled()


@pytest.fixture
async def keeper(replica: Troubled, leaping: LoopClock) -> AsyncIterator[Keeper]:
    def running(_: Keeper) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    keeper = Keeper(ORDER, Surroundings(lambda _: replica, running, lambda: None, leaping))
    keeper.start()
    yield keeper
    await keeper.stop()


async def test_it_becomes_ready(keeper: Keeper, replica: Troubled) -> None:
    """Not before it has started and answered."""
    assert (Phase.STARTING, False) == (keeper.phase, keeper.is_ready)
    replica.may_start.set()
    await until(lambda: keeper.is_ready)

    assert DeploymentState.READY is keeper.state
    assert keeper.observe().is_ready


async def test_dead_replica_is_out_at_once_and_back_soon(keeper: Keeper, replica: Troubled) -> None:
    """A replica that ended is not offered again until it has started again."""
    replica.may_start.set()
    await until(lambda: keeper.is_ready)
    replica.fail()

    assert not keeper.is_ready
    assert not keeper.observe().is_ready
    await until(lambda: keeper.is_ready)
    assert 2 == replica.starts


async def test_reason_says_how_it_ended_but_not_where(keeper: Keeper, replica: Troubled) -> None:
    """Callers learn why there is no replica, and no path; who runs the platform learns it too."""
    replica.failing = 10
    replica.may_start.set()
    await until(lambda: keeper.phase is Phase.BACKING_OFF)

    assert "exit code 1" in keeper.ended
    assert "/a/path" not in keeper.ended
    assert "/a/path" in keeper.detail
    assert 1 == keeper.observe().failures


async def test_one_that_cannot_answer_is_not_ready(keeper: Keeper, replica: Troubled) -> None:
    """Its process runs, but a first generation fails: that is a failed start."""
    replica.context_length = 1
    replica.may_start.set()
    await until(lambda: keeper.phase is Phase.BACKING_OFF)

    assert keeper.ended
    assert "stopped" == replica.state


async def test_stop_ends_it_for_good(keeper: Keeper, replica: Troubled) -> None:
    """After a stop nothing runs, nothing starts again, and another stop does nothing."""
    replica.may_start.set()
    await until(lambda: keeper.is_ready)
    await keeper.stop()
    starts = replica.starts
    await asyncio.sleep(2 * FIRST_PAUSE)
    await keeper.stop()

    assert (starts, "stopped") == (replica.starts, replica.state)
    assert Phase.STOPPING is keeper.phase


async def test_draining_one_is_not_started_again(keeper: Keeper, replica: Troubled) -> None:
    """It was to end anyway."""
    replica.may_start.set()
    await until(lambda: keeper.is_ready)
    keeper.drain()
    replica.fail()
    await asyncio.sleep(2 * FIRST_PAUSE)

    assert (1, Phase.DRAINING) == (replica.starts, keeper.phase)


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
