"""Several answers to one request: as many generations side by side, merged into one series of
events that says of each which answer it belongs to.

Each is routed on its own, so they may run on different replicas. The first failure ends them all.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

from msgspec.structs import replace

from cupola.engines.port import Generation
from cupola.gateway.directory import Pool
from cupola.gateway.limits import Limits
from cupola.gateway.plan import Plan
from cupola.gateway.route import begin
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, EngineFailed
from cupola.kit.tasks import cancel, supervise
from cupola.wire.canonical import Delta, Event, Failed, Finish


async def answer_several(
    pool: Pool,
    plan: Plan,
    clock: Clock,
    limits: Limits,
    on_wait: Callable[[float], None] = lambda seconds: None,
) -> AsyncGenerator[Event, None]:
    """The events of all answers as they come. Closing it ends what is under way."""
    queue: asyncio.Queue[Event] = asyncio.Queue()
    start = partial(begin, pool, clock=clock, limits=limits, on_wait=on_wait)
    step = plan.answers // len(plan.generations)
    tasks = [
        supervise(_answer(start, one, [echo] * step, step * i, queue), name=f"answer {i}")
        for i, (one, echo) in enumerate(zip(plan.generations, plan.echoes, strict=True))
    ]
    unfinished = plan.answers
    try:
        while unfinished:
            event = await queue.get()
            yield event
            if isinstance(event, Failed):
                return
            unfinished -= isinstance(event, Finish)
    finally:
        for task in tasks:
            await cancel(task)


async def _answer(
    start: Callable[[Generation], Awaitable[tuple[Event, AsyncGenerator[Event, None]]]],
    generation: Generation,
    echoes: list[str],
    index: int,
    queue: asyncio.Queue[Event],
) -> None:
    """Put the events of one generation into the queue; the last is a `Finish` or a `Failed`.

    Args:
        echoes: What each of its answers begins with.
        index: Of its first answer.
    """
    last: Event | None = None
    try:
        first, events = await start(generation)
        try:
            if not isinstance(first, Failed):
                for i, echo in enumerate(echoes, index):
                    if echo:
                        queue.put_nowait(Delta(echo, 0, (), i))
            queue.put_nowait(last := _mark(first, index))
            async for event in events:
                queue.put_nowait(last := _mark(event, index))
        finally:
            await events.aclose()
    except CupolaError as error:
        queue.put_nowait(last := Failed(error))
    finally:
        if not isinstance(last, Finish | Failed):  # or whoever waits would wait for ever
            queue.put_nowait(Failed(EngineFailed("The engine ended before its answer did.")))


def _mark(event: Event, index: int) -> Event:
    return event if isinstance(event, Failed) else replace(event, index=event.index + index)
