"""Metering's own work in the background: budgets, webhooks, retention."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cupola.kit.clock import Clock
from cupola.kit.errors import Unavailable
from cupola.metering.budget import Notice
from cupola.metering.model import DAY
from cupola.metering.ports import NoticeStore, Sender
from cupola.metering.watch import BudgetWatch
from cupola.metering.webhook import headers_of, note_attempt

_READ_EVERY: Final = 10.0
"""Seconds between two readings of budgets: how late another gateway's spending is known."""
_DELIVER_EVERY: Final = 5.0
_LEASE: Final = 300
"""Seconds in which nobody else sends what one has claimed; longer than all of a claim takes."""
_CLAIM: Final = 20
_EXPIRE_EVERY: Final = 600.0
_BATCH: Final = 250
"""Records deleted at once. Ids of requests are random, so each is a page of its index to write, and
whoever settles meanwhile waits: with a thousand, four times as long at the median."""
_BREATH: Final = 0.02
"""Seconds between two deletions: those who wait for their commit come first."""

_log = logging.getLogger(__name__)


async def watch_budgets(watch: BudgetWatch) -> None:
    """Read budgets again and again, and at once when a share seems reached."""
    while True:
        try:
            await watch.refresh()
        except Unavailable as error:
            _log.warning("Budgets cannot be read now: %s", error)
            await asyncio.sleep(_READ_EVERY)  # however many records ask for it meanwhile
        try:
            async with asyncio.timeout(_READ_EVERY):
                await watch.wake.wait()
        except TimeoutError:
            pass


async def deliver_notices(
    notices: NoticeStore, sender: Sender, clock: Clock, key_of: Callable[[str], bytes]
) -> None:
    """Send what is due, again and again. `key_of` gives the signing key of a budget."""
    while True:
        try:
            await deliver_due(notices, sender, clock, key_of)
        except Unavailable as error:
            _log.warning("Notices cannot be read now: %s", error)
        await asyncio.sleep(_DELIVER_EVERY)


async def deliver_due(
    notices: NoticeStore, sender: Sender, clock: Clock, key_of: Callable[[str], bytes]
) -> None:
    """Try each notice that is due once."""
    now = int(clock.now())
    for notice in await notices.claim(now, now + _LEASE, _CLAIM):
        failure = await _send(notice, sender, clock, key_of(notice.budget))
        if failure:
            _log.warning("The webhook of notice %s failed: %s", notice.id, failure)
        await notices.save(note_attempt(notice, int(clock.now()), failure))


async def _send(notice: Notice, sender: Sender, clock: Clock, key: bytes) -> str:
    """Why it failed, in a sentence; empty: it did not."""
    headers = headers_of(notice, key, int(clock.now()))
    try:
        status = await sender.post(notice.url or "", notice.body.encode(), headers)
    except Unavailable as error:
        return error.public
    return "" if 200 <= status < 300 else f"The receiver answered with status {status}."


async def expire_records(
    expire: Callable[[float, int], Awaitable[int]], clock: Clock, days: int
) -> None:
    """Delete records older than so many days, again and again, a few at a time."""
    while True:
        try:
            more = await expire(clock.now() - days * DAY, _BATCH) == _BATCH
        except Unavailable as error:
            _log.warning("Old records cannot be deleted now: %s", error)
            more = False
        await asyncio.sleep(_BREATH if more else _EXPIRE_EVERY)
