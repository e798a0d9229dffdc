import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import pytest

from cupola.kit.clock import FakeClock
from cupola.kit.errors import Unavailable
from cupola.kit.tasks import cancel
from cupola.metering import loop
from cupola.metering.budget import TOKENS, Budget, Notice, Period, Scope
from cupola.metering.memory import MemoryBudgets, MemoryNotices, MemoryRecords
from cupola.metering.model import DAY
from cupola.metering.watch import BudgetWatch
from tests.metering.samples import NOON, record
from tests.patience import PATIENCE

pytestmark = pytest.mark.usefixtures("leaping")


class Takes:
    """A `Sender` whose receivers take everything."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.came = asyncio.Event()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.taken.append(url)
        self.came.set()
        return 200


async def test_from_a_record_to_a_webhook():
    """A record that reaches a share is told to the receiver soon, without anybody asking."""
    budgets, notices, ledger = MemoryBudgets(), MemoryNotices(), MemoryRecords()
    clock, sender = FakeClock(NOON), Takes()
    budget = Budget("b", "default", Scope.PROJECT, "default", TOKENS, 100, Period.TOTAL)
    await budgets.add(replace(budget, webhook="https://host/"))
    watch = BudgetWatch(budgets, notices, ledger, clock)
    watching = asyncio.ensure_future(loop.watch_budgets(watch))
    await asyncio.sleep(0)  # it has read the budgets
    used = record()
    await ledger.write([used])
    watch.add(used)
    for _ in range(100):
        await asyncio.sleep(0)  # it is asked to read them again
    delivering = asyncio.ensure_future(
        loop.deliver_notices(notices, sender, clock, lambda budget: b"key")
    )
    await asyncio.wait_for(sender.came.wait(), PATIENCE)
    await cancel(watching)
    await cancel(delivering)

    assert ["https://host/"] * 2 == sender.taken  # at 80 and at 100 per cent
    assert [NOON, NOON] == [each.delivered for each in await notices.list("default")]


async def test_retention(monkeypatch: pytest.MonkeyPatch):
    """Records older than so many days go in small batches until none is left; others stay."""
    monkeypatch.setattr(loop, "_BREATH", 0.0)
    monkeypatch.setattr(loop, "_BATCH", 10)
    ledger, clock = MemoryRecords(), FakeClock(NOON)
    old = [record(time=NOON - 8 * DAY) for _ in range(25)]
    await ledger.write([*old, record(time=NOON - 6 * DAY)])
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await loop.expire_records(ledger.expire, clock, 7)

    assert 1 == len(await ledger.page((0.0, 0), 1e12, {}, 100))


@pytest.mark.parametrize("what", ["watch", "deliver", "expire"])
async def test_a_database_that_is_away_ends_no_loop(what: str, monkeypatch: pytest.MonkeyPatch):
    """Each loop goes on trying, and says so in the log."""
    for name in ("_READ_EVERY", "_DELIVER_EVERY", "_EXPIRE_EVERY"):
        monkeypatch.setattr(loop, name, 0.01)
    tries = 0

    async def away(*_: object) -> list[Notice]:
        nonlocal tries
        tries += 1
        raise Unavailable("The database cannot be reached now.")

    budgets, notices, clock = MemoryBudgets(), MemoryNotices(), FakeClock()
    budgets.list = away  # type: ignore[assignment, method-assign]
    notices.claim = away  # type: ignore[assignment, method-assign]
    watch = BudgetWatch(budgets, notices, MemoryRecords(), clock)
    work = {
        "watch": lambda: loop.watch_budgets(watch),
        "deliver": lambda: loop.deliver_notices(notices, Takes(), clock, lambda budget: b""),
        "expire": lambda: loop.expire_records(away, clock, 1),  # type: ignore[arg-type]
    }[what]
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await work()

    assert tries > 2
