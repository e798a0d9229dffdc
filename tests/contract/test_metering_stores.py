"""Every `PriceStore`, `BudgetStore`, `NoticeStore` and `IntervalSource` keeps these promises."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from cupola.db.database import Database
from cupola.db.tables import intervals
from cupola.kit.errors import Conflict, Stale
from cupola.metering.budget import TOKENS, Budget, Notice, Period, Scope
from cupola.metering.memory import MemoryBudgets, MemoryIntervalSource, MemoryNotices, MemoryPrices
from cupola.metering.model import Price, PriceKind
from cupola.metering.ports import BudgetStore, IntervalSource, NoticeStore, PriceStore
from cupola.metering.store import SqlBudgets, SqlIntervals, SqlNotices, SqlPrices
from cupola.metering.usage import InstanceInterval

_PRICE = Price(PriceKind.MODEL, "M", "EUR", 100, input=2**40, output=3)
_BUDGET = Budget(
    "bud_1",
    "default",
    Scope.KEY,
    "key_1",
    "EUR",
    2**60,
    Period.MONTH,
    (50, 100),
    True,
    "https://x/",
)
_NOTICE = Notice("ntc_1", "bud_1", "default", 0, 50, 2**50, 1000, "https://x/", "{}", due=1000)


@pytest.fixture
def prices(backing: Database | None) -> PriceStore:
    return SqlPrices(backing) if backing else MemoryPrices()


@pytest.fixture
def budgets(backing: Database | None) -> BudgetStore:
    return SqlBudgets(backing) if backing else MemoryBudgets()


@pytest.fixture
def notices(backing: Database | None) -> NoticeStore:
    return SqlNotices(backing) if backing else MemoryNotices()


async def test_prices_only_grow(prices: PriceStore):
    """Each price gets a version of its own, and is there as it was set."""
    first = await prices.add(_PRICE)
    second = await prices.add(replace(_PRICE, of=PriceKind.INSTANCE_TYPE, hour=7))

    assert [first, second] == list(await prices.list())
    assert replace(_PRICE, version=first.version) == first
    assert 0 < first.version < second.version


async def test_budget_is_kept(budgets: BudgetStore):
    """A budget is found as it was added; a second of its id is refused."""
    await budgets.add(_BUDGET)
    with pytest.raises(Conflict):
        await budgets.add(_BUDGET)

    assert _BUDGET == await budgets.find("bud_1")
    assert await budgets.find("bud_2") is None


async def test_budgets_of_a_project(budgets: BudgetStore):
    """A list is of one project, or of all, in order of ids."""
    other = replace(_BUDGET, id="bud_0", unit=TOKENS, webhook=None, scope=Scope.ENDPOINT)
    await budgets.add(_BUDGET)
    await budgets.add(other)

    assert [other, _BUDGET] == list(await budgets.list())
    assert [other, _BUDGET] == list(await budgets.list("default"))
    assert [] == list(await budgets.list("another"))


async def test_saved_by_version(budgets: BudgetStore):
    """Of two who change a budget at once, one is told to read it again."""
    await budgets.add(_BUDGET)
    changed = replace(_BUDGET, amount=1, version=2)
    await budgets.save(changed)
    with pytest.raises(Stale):
        await budgets.save(replace(_BUDGET, amount=2, version=2))

    assert changed == await budgets.find("bud_1")
    assert await budgets.delete("bud_1")
    assert not await budgets.delete("bud_1")


async def test_said_once(notices: NoticeStore):
    """The same share of the same period is warned of once, whoever notices it."""
    assert await notices.add(_NOTICE)
    assert not await notices.add(replace(_NOTICE, id="ntc_2", spent=1))
    assert await notices.add(replace(_NOTICE, id="ntc_3", share=100))
    assert await notices.add(replace(_NOTICE, id="ntc_4", start=86400))

    assert {50, 100} == await notices.said("bud_1", 0)
    assert {50} == await notices.said("bud_1", 86400)
    assert set() == await notices.said("bud_2", 0)


async def test_claimed_by_one(notices: NoticeStore):
    """Who claims what is due has it alone until the lease is over; oldest first."""
    for number, due in ((1, 30), (2, 10), (3, 20), (4, None), (5, 99)):
        await notices.add(replace(_NOTICE, id=f"ntc_{number}", share=number, due=due))
    claimed = await notices.claim(50, 80, 2)

    assert [("ntc_2", 80), ("ntc_3", 80)] == [(each.id, each.due) for each in claimed]
    assert ["ntc_1"] == [each.id for each in await notices.claim(50, 80, 10)]
    assert [] == list(await notices.claim(50, 80, 10))
    await notices.save(replace(claimed[0], due=None, delivered=60, attempts=1))
    assert ["ntc_1", "ntc_3"] == [each.id for each in await notices.claim(80, 200, 10)]


async def test_notices_newest_first(notices: NoticeStore):
    """A project sees its own notices, the newest first, with how their delivery stands."""
    for number in (1, 2, 3):
        notice = replace(_NOTICE, id=f"ntc_{number}", share=number, created=number, due=None)
        await notices.add(notice)
    failed = replace(_NOTICE, id="ntc_2", share=2, created=2, due=None, attempts=3, failure="No.")
    await notices.save(failed)

    assert ["ntc_3", "ntc_2"] == [each.id for each in await notices.list("default", 2)]
    assert failed == (await notices.list("default"))[1]
    assert [] == list(await notices.list("another"))


async def test_intervals_of_a_period(backing: Database | None):
    """Those that touch a period, with their end, or where they were last seen."""
    known = {"a": (10, 20, 20), "b": (15, 30, None), "c": (40, 50, 45), "d": (0, 12, 11)}
    rows = [
        InstanceInterval("pilot", "blue", "default", "M", "small", 4, started, ended or seen)
        for started, seen, ended in known.values()
    ]
    source: IntervalSource = MemoryIntervalSource(*rows)
    if backing:
        source = SqlIntervals(backing)
        names = ("endpoint", "deployment", "project", "model", "instance_type", "cores")
        values = dict(zip(names, ("pilot", "blue", "default", "M", "small", 4), strict=True))
        async with backing.transaction() as connection:
            for name, (started, seen, ended) in known.items():
                times = {"id": name, "started": started, "seen": seen, "ended": ended}
                await connection.execute(insert(intervals).values(**values, **times))

    async def between(start: int, end: int) -> list[tuple[int, int]]:
        return sorted((each.started, each.until) for each in await source.between(start, end))

    assert [(10, 20), (15, 30)] == await between(12, 40)
    assert [(40, 45)] == await between(44, 100)
    assert [] == await between(45, 100)
