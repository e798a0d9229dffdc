from dataclasses import replace

import pytest

from cupola.kit.clock import FakeClock
from cupola.kit.errors import Invalid, NotFound, Stale
from cupola.kit.money import Money
from cupola.metering import service
from cupola.metering.budget import TOKENS, Period, Scope
from cupola.metering.memory import (
    MemoryBudgets,
    MemoryIntervalSource,
    MemoryNotices,
    MemoryPrices,
    MemoryRecords,
)
from cupola.metering.model import DAY, HOUR, PriceBook, PriceKind
from cupola.metering.service import BudgetOrder, Budgets, Prices, Usage
from cupola.metering.usage import Dimension, InstanceInterval, Query
from tests.metering.samples import NOON, record

_NOON = int(NOON)
_ORDER = BudgetOrder(Scope.ENDPOINT, "pilot", TOKENS, 1000, Period.DAY)


async def test_tokens_and_instances_in_one_report():
    """A managed model's instances stand beside the tokens that they made, by the same groups."""
    ledger, prices = MemoryRecords(), Prices(MemoryPrices(), FakeClock(NOON - DAY))
    await prices.set_instance_type("small", Money.parse("2", "EUR"))
    await prices.refresh()
    interval = InstanceInterval(
        "pilot", "blue", "default", "Cupola-Pilot", "small", 4, _NOON, _NOON + HOUR // 2
    )
    await ledger.write([record(), record(model="Other")])
    usage = Usage(ledger, MemoryIntervalSource(interval), prices.book)
    rows = await usage.report(Query(_NOON, _NOON + HOUR, (Dimension.DAY, Dimension.MODEL)))
    midnight = _NOON // DAY * DAY

    assert [(midnight, "Cupola-Pilot"), (midnight, "Other")] == [row.group for row in rows]
    assert (100, 50, 2 * HOUR) == (
        rows[0].sums.prompt,
        rows[0].sums.completion,
        rows[0].sums.core_seconds,
    )
    assert 1_000_000_000 + record().cost == rows[0].sums.cost


async def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch):
    """A report that nobody could read is refused, with what to ask for instead."""
    monkeypatch.setattr(service, "MOST_ROWS", 5)
    ledger = MemoryRecords()
    await ledger.write([record(time=NOON + HOUR * number) for number in range(6)])
    usage = Usage(ledger, MemoryIntervalSource(), PriceBook)

    with pytest.raises(Invalid, match="more than 5 rows"):
        await usage.report(Query(_NOON, _NOON + DAY, (Dimension.HOUR,)))
    assert 5 == len(await usage.report(Query(_NOON, _NOON + 5 * HOUR, (Dimension.HOUR,))))


async def test_records_page_by_page(monkeypatch: pytest.MonkeyPatch):
    """Whoever reads all records does not see the pages."""
    monkeypatch.setattr(service, "_PAGE", 3)
    ledger = MemoryRecords()
    await ledger.write(
        [record(time=NOON + number % 4, key=f"k{number % 2}") for number in range(20)]
    )
    usage = Usage(ledger, MemoryIntervalSource(), PriceBook)
    where = {Dimension.KEY: frozenset({"k1"})}

    assert 20 == len([each async for each in usage.iter_records(NOON, NOON + 4)])
    assert 5 == len([each async for each in usage.iter_records(NOON + 2, NOON + 4, where)])
    with pytest.raises(Invalid):
        [each async for each in usage.iter_records(0, 1, {Dimension.DAY: frozenset()})]


async def test_price_changes_nothing_that_was():
    """A new price holds from a moment to come; what was keeps its own."""
    clock = FakeClock(1000.0)
    prices = Prices(MemoryPrices(), clock)
    first = await prices.set_model("M", Money(10, "EUR"), Money(20, "EUR"))
    later = await prices.set_model("M", Money(30, "EUR"), Money(40, "EUR"), valid_from=5000)

    assert prices.book().find(PriceKind.MODEL, "M", 1001) is None  # it may yet be taken back
    await prices.refresh()
    assert prices.book().find(PriceKind.MODEL, "M", 1000) is None
    assert first == prices.book().find(PriceKind.MODEL, "M", 1001)
    assert later == prices.book().find(PriceKind.MODEL, "M", 5000)
    assert [first, later] == list(await prices.list())
    with pytest.raises(Invalid, match="to come"):
        await prices.set_model("M", Money(1, "EUR"), Money(1, "EUR"), valid_from=1000)


@pytest.mark.parametrize(
    "given",
    [
        (Money(-1, "EUR"), Money(0, "EUR")),
        (Money(0, "EUR"), Money(10**15 + 1, "EUR")),
        (Money(1, "EUR"), Money(1, "USD")),
    ],
    ids=str,
)
async def test_senseless_prices_are_refused(given: tuple[Money, Money]):
    """Nobody is paid for using a model, and no price breaks the arithmetic."""
    with pytest.raises(Invalid):
        await Prices(MemoryPrices(), FakeClock()).set_model("M", *given)


async def test_others_prices_are_read():
    """A price that another process set counts after a refresh."""
    store = MemoryPrices()
    ours, theirs = Prices(store, FakeClock(0.0)), Prices(store, FakeClock(0.0))
    price = await theirs.set_instance_type("small", Money(5, "EUR"))
    await ours.refresh()

    assert price == ours.book().find(PriceKind.INSTANCE_TYPE, "small", 10)


async def test_budgets_and_how_they_stand():
    """A project sees its budgets with what is spent; each change is told to who watches."""
    ledger, changes = MemoryRecords(), []
    budgets = Budgets(
        MemoryBudgets(), MemoryNotices(), ledger, FakeClock(NOON), lambda: changes.append(1)
    )
    budget = await budgets.create("default", _ORDER)
    await ledger.write([record(time=NOON), record(time=NOON - DAY)])
    [verdict] = await budgets.list("default")
    changed = await budgets.change("default", budget.id, replace(_ORDER, amount=5), 1)

    assert (budget, 150, ()) == (verdict.budget, verdict.spent, verdict.due)
    assert (80, 100) == (await budgets.judge(changed)).due
    with pytest.raises(Stale):
        await budgets.change("default", budget.id, _ORDER, 1)
    with pytest.raises(NotFound):
        await budgets.get("another", budget.id)
    with pytest.raises(NotFound):
        await budgets.delete("another", budget.id)
    await budgets.delete("default", budget.id)
    assert [] == list(await budgets.list("default"))
    assert 3 == len(changes)
