"""Which replica answers, and what if it dies before it has said anything.

The least busy ready replica is asked. If its first event is a failure of the engine, nothing has
reached the caller yet, so the request goes to another one, or waits for one to come back. All of it
is bounded in time and in tries: a request that kills engines must not be handed on for ever.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable

from cupola.engines.port import Generation, Replica
from cupola.gateway.directory import Pool
from cupola.gateway.limits import Limits
from cupola.kit.clock import Clock
from cupola.kit.errors import EngineFailed, Unavailable
from cupola.wire.canonical import Event, Failed

_RETRY_AFTER = 5.0
"""Seconds; the caller has waited for a replica already, so asking at once is of no use."""
_PAUSE = 0.05
"""Seconds in which a dead replica is noticed and leaves the ready ones."""

_log = logging.getLogger(__name__)


async def begin(
    pool: Pool,
    generation: Generation,
    clock: Clock,
    limits: Limits,
    on_wait: Callable[[float], None] = lambda seconds: None,
) -> tuple[Event, AsyncGenerator[Event, None]]:
    """The first event of an answer, and the generator of the rest, which the caller must close.

    Args:
        on_wait: Told how many seconds nobody was ready for it, if so.
    """
    deadline = clock.monotonic() + limits.wait_seconds
    failed: Replica | None = None
    for attempt in range(1, limits.tries + 1):
        replica = await _pick(pool, failed, deadline, clock, on_wait)
        generation.tally.replica = replica.id
        events = replica.generate(generation)
        first = await _first(events)
        if not (type(first) is Failed and isinstance(first.error, EngineFailed)):
            return first, events
        await events.aclose()
        generation.tally.begin()  # what it did was for nothing
        failed = replica
        _log.warning("Try %d of %d: the engine failed: %s", attempt, limits.tries, first.error)
    return first, events


async def _first(events: AsyncGenerator[Event, None]) -> Event:
    async for event in events:
        return event
    return Failed(EngineFailed("The engine ended without an answer."))


async def _pick(
    pool: Pool,
    failed: Replica | None,
    deadline: float,
    clock: Clock,
    on_wait: Callable[[float], None],
) -> Replica:
    """The least busy ready replica, preferably not the one that just failed."""
    ready = pool.ready()
    if failed is not None:
        others = [replica for replica in ready if replica is not failed]
        if not others:
            await asyncio.sleep(_PAUSE)
        ready = others or pool.ready()
    if not ready:
        since = clock.monotonic()
        there = since < deadline and await pool.wait_ready(deadline - since)
        on_wait(clock.monotonic() - since)
        if not there:
            raise Unavailable(
                f"No replica can answer now: {pool.reason()}", retry_after=_RETRY_AFTER
            )
        ready = pool.ready()
    if len(ready) == 1:
        return ready[0]
    return min(ready, key=lambda replica: replica.busy)
