"""One thread that does one piece of work after another, for an event loop that waits for it.

An executor of a single thread does so, too, at twice the price: it has a future of its own beside
the loop's, with a lock, and counts its threads each time. A lone request waits for that.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Task: TypeAlias = tuple[asyncio.Future[Any], Callable[[], Any]]


class Worker:
    """A thread that starts with its first work and ends with `stop`, or with the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: SimpleQueue[_Task | None] | None = None

    def do(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """What `work` gives, when its turn has come. It is done even if nobody waits any more."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._tasks is None:
            self._tasks = SimpleQueue()
            Thread(target=_run, args=(self._tasks,), name=self._name, daemon=True).start()
        self._tasks.put((future, work))
        return future

    def stop(self) -> None:
        """End the thread after what it was given; new work starts another one."""
        if self._tasks is not None:
            self._tasks.put(None)
            self._tasks = None


def _run(tasks: "SimpleQueue[_Task | None]") -> None:
    while (task := tasks.get()) is not None:
        future, work = task
        outcome: tuple[Callable[[asyncio.Future[Any], Any], None], Any]
        try:
            outcome = _finish, work()
        except BaseException as error:  # noqa: BLE001 (told to whoever waits)
            outcome = _fail, error
        tell, what = outcome
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            future.get_loop().call_soon_threadsafe(tell, future, what)
        del task, future, work, outcome, tell, what  # not kept until the next work comes


def _finish(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
