"""Taking what is there, and doing something else only if one must wait."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from cupola.kit.ready import take_or


class Flush:
    """Counts how often it was awaited, and takes its time."""

    def __init__(self, fails: bool = False) -> None:
        self.times = 0
        self.fails = fails

    async def __call__(self) -> None:
        self.times += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionError


async def numbers(waiting: bool) -> AsyncGenerator[int, None]:
    for n in range(3):
        if waiting:
            await asyncio.sleep(0.001)
        yield n


async def test_what_is_there_is_taken_at_once():
    """Nothing else is done."""
    events, flush = numbers(waiting=False), Flush()

    assert [0, 1, 2] == [await take_or(anext(events), flush) for _ in range(3)]
    assert 0 == flush.times


async def test_before_a_wait_something_else_is_done():
    """Once for each wait, and the result is the same."""
    events, flush = numbers(waiting=True), Flush()

    assert [0, 1, 2] == [await take_or(anext(events), flush) for _ in range(3)]
    assert 3 == flush.times


async def test_the_end_is_passed_on():
    """As `anext` says it, waiting or not."""
    for waiting in (False, True):
        events = numbers(waiting)
        for _ in range(3):
            await take_or(anext(events), Flush())
        with pytest.raises(StopAsyncIteration):
            await take_or(anext(events), Flush())


@pytest.mark.parametrize("fails", [True, False], ids=["flush-fails", "cancelled"])
async def test_a_failure_or_a_cancellation_ends_both(fails: bool):
    """The awaited generator cleans up and can be closed; nothing is left half-awaited."""
    cleaned = []

    async def endless() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
            yield 0
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    events = endless()
    with pytest.raises((ConnectionError, TimeoutError)):
        async with asyncio.timeout(0.01):
            await take_or(anext(events), Flush(fails))
    await events.aclose()

    assert [True] == cleaned


async def test_an_awaited_future_may_be_done_meanwhile():
    """What was waited for can arrive while something else is being done."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def finish() -> None:
        future.set_result(7)
        await asyncio.sleep(0)

    async def wanted() -> int:
        return await future

    assert 7 == await take_or(wanted(), finish)
