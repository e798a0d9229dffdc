"""Background tasks that are neither forgotten nor silent.

asyncio keeps only a weak reference to a task, and an exception in one that nobody awaits is
noticed when it is collected, if ever. `supervise` keeps the reference and logs the failure.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


def supervise(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """Run `work` in the background; a failure is logged with the task's name."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_report)
    return task


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and wait until it has cleaned up after itself."""
    task.cancel()
    await asyncio.wait([task])


def _report(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("Background task %s failed.", task.get_name(), exc_info=error)
