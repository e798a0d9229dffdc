"""Time that nobody has to wait for: pauses are over as soon as there is nothing else to do.

In a timelapse an event loop's clock stands still while anything runs and leaps to the next
timer when nothing does. A pause of an hour takes no time, and a process that is stopped for a
minute in the middle of a pause of a millisecond is not late. Only for tests without sockets and
processes, which the loop would not wait for; it does wait for the threads it has given work to.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from selectors import BaseSelector
from typing import Any

import pytest

_EPOCH = 1_700_000_000.0


@dataclass
class LoopClock:
    """A `Clock` that goes by the time of a loop."""

    loop: asyncio.AbstractEventLoop

    def now(self) -> float:
        return _EPOCH + self.loop.time()

    def monotonic(self) -> float:
        return self.loop.time()


@dataclass
class _Leaping:
    """A selector that finds what is there; instead of waiting for more it lets the time go on."""

    real: BaseSelector
    seconds: float
    threads: set[Future[Any]] = field(default_factory=set)

    def select(self, timeout: float | None = None) -> list[Any]:
        found = self.real.select(0)
        if found or timeout == 0:
            return found
        if self.threads or timeout is None:
            return self.real.select(None)
        self.seconds += timeout
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@contextmanager
def timelapse() -> Iterator[LoopClock]:
    """While the block runs, the running loop's time is this."""
    loop: Any = asyncio.get_running_loop()
    leaping = _Leaping(loop._selector, loop.time())
    run: Callable[..., Future[Any]] = loop.run_in_executor

    def run_in_executor(*work: Any) -> Future[Any]:
        done = run(*work)
        leaping.threads.add(done)
        done.add_done_callback(leaping.threads.discard)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_selector", leaping)
        patch.setattr(loop, "time", lambda: leaping.seconds)
        patch.setattr(loop, "run_in_executor", run_in_executor)
        yield LoopClock(loop)
