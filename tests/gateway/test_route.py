"""Which replica answers, and what happens if it dies first."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from cupola.engines.port import Generation
from cupola.gateway.limits import Limits
from cupola.gateway.route import begin
from cupola.kit.clock import FakeClock
from cupola.kit.errors import EngineFailed, Invalid, Unavailable
from cupola.wire.canonical import Event, Failed
from tests.gateway.fakes import HELLO, FixedPool, ScriptedReplica, saying

ASKED = Generation(prompt=("Hi",))
DIED = Failed(EngineFailed("It died."))


async def first_of(pool: FixedPool, **limits: float) -> Event:
    first, events = await begin(pool, ASKED, FakeClock(), Limits(**limits))  # type: ignore[arg-type]
    await events.aclose()
    return first


async def test_the_least_busy_is_asked():
    """Load decides among the ready."""
    busy, idle = ScriptedReplica(saying(*HELLO)), ScriptedReplica(saying(*HELLO))
    busy.open = 3

    assert HELLO[0] == await first_of(FixedPool([busy, idle]))
    assert (0, 1) == (len(busy.asked), len(idle.asked))


async def test_another_replica_answers_for_a_dead_one():
    """The caller notices nothing."""
    dead, alive = ScriptedReplica(saying(DIED)), ScriptedReplica(saying(*HELLO))
    alive.open = 1

    assert HELLO[0] == await first_of(FixedPool([dead, alive]))
    assert 1 == len(dead.asked)


async def test_a_lone_replica_is_given_time_to_come_back():
    """It leaves the ready ones, and the request waits for it."""
    pool = FixedPool([])

    async def die_once(request: Generation) -> AsyncGenerator[Event, None]:
        replica.script = saying(*HELLO)
        pool.replicas.clear()
        yield DIED

    replica = ScriptedReplica(die_once)
    pool.replicas, pool.comes_back = [replica], [replica]

    assert HELLO[0] == await first_of(pool)
    assert pool.awaited


async def test_tries_are_bounded():
    """A request that kills its engine is not handed on for ever."""
    replica = ScriptedReplica(saying(DIED))

    assert DIED == await first_of(FixedPool([replica]), tries=2)
    assert 2 == len(replica.asked)


async def test_other_failures_are_final():
    """A request that is refused is refused everywhere."""
    refused = Failed(Invalid("No."))
    replica = ScriptedReplica(saying(refused))

    assert refused == await first_of(FixedPool([replica]))
    assert 1 == len(replica.asked)


async def test_nobody_is_ready():
    """After the wait, the reason and when to ask again."""
    pool = FixedPool([])
    with pytest.raises(Unavailable) as refused:
        await first_of(pool, wait_seconds=7)

    assert "The model is loading." in refused.value.public
    assert refused.value.retry_after
    assert [7] == pool.awaited


async def test_a_hang_up_while_waiting_for_the_first_event_frees_the_replica():
    """Cancelling is enough: nothing is left open."""

    async def silent(request: Generation) -> AsyncGenerator[Event, None]:
        await asyncio.Event().wait()
        yield HELLO[0]

    replica = ScriptedReplica(silent)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await first_of(FixedPool([replica]))

    assert 0 == replica.open
