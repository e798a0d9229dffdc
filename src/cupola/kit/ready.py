"""Waiting for an event, with something to do first if it is not there yet."""

from collections.abc import Awaitable, Callable, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def take_or(
    wanted: Awaitable[T], meanwhile: Callable[[], Awaitable[None]]
) -> Generator[Any, Any, T]:
    """The result of `wanted`; before waiting for it, if one must wait, `meanwhile` is done.

    An engine's burst of events becomes one write: those that are there already are gathered, and
    what was gathered is written when there is nothing more to gather. asyncio has no way to ask
    whether an awaitable would wait, except to start it, hence this hand-driven coroutine; a task
    per event would cost more than the writes it saves. A failure of `meanwhile`, or a cancellation
    during it, ends `wanted` too.
    """
    step = wanted.__await__()
    try:
        future = next(step)
    except StopIteration as done:
        result: T = done.value
        return result
    try:
        yield from meanwhile().__await__()
    except BaseException as error:  # noqa: BLE001 (passed on to where it belongs)
        return (yield from _resume(step, step.throw(error)))
    return (yield from _resume(step, future))


def _resume(step: Generator[Any, Any, T], future: Any) -> Generator[Any, Any, T]:
    """Go on with `step`, which waits for `future`: what `yield from` does, from the middle."""
    try:
        while True:
            try:
                sent = yield future
            except BaseException as error:  # noqa: BLE001 (passed on, as `yield from` does)
                future = step.throw(error)
            else:
                future = step.send(sent)
    except StopIteration as done:
        result: T = done.value
        return result
