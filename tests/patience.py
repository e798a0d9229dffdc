"""Waiting in tests: for what shall be so, however long a busy machine takes for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 120.0
"""Seconds after which what is waited for will not come; it is a hang, and no slow machine."""
_PAUSE = 0.01


async def until(holds: Callable[[], object]) -> None:
    """Wait until it is so, where no event tells of it; `holds` may be a coroutine function."""
    async with asyncio.timeout(PATIENCE):
        while not await _ask(holds):  # noqa: ASYNC110  for what tells nobody
            await asyncio.sleep(_PAUSE)


def wait_until(holds: Callable[[], object]) -> bool:
    """The same without a loop; False if it never came to be so, for the test to say what was."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


async def _ask(holds: Callable[[], object]) -> object:
    answer = holds()
    return await answer if isinstance(answer, Awaitable) else answer
