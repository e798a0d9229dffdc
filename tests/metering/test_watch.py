from dataclasses import replace

import msgspec
import pytest

from cupola.kit.clock import FakeClock
from cupola.metering.budget import TOKENS, Budget, Period, Scope
from cupola.metering.memory import MemoryBudgets, MemoryNotices, MemoryRecords
from cupola.metering.model import DAY, UsageRecord
from cupola.metering.watch import BudgetWatch
from tests.metering.samples import NOON, record

_BUDGET = Budget(
    "bud_1", "default", Scope.ENDPOINT, "pilot", TOKENS, 1000, Period.DAY, (50, 100), refuse=True
)


class Watched:
    """A watch over fakes, and the verbs of a test."""

    def __init__(self) -> None:
        self.budgets, self.notices = MemoryBudgets(), MemoryNotices()
        self.ledger, self.clock = MemoryRecords(), FakeClock(NOON)
        self.watch = self.another()

    def another(self) -> BudgetWatch:
        return BudgetWatch(self.budgets, self.notices, self.ledger, self.clock)

    async def use(self, tokens: int, **changes: object) -> UsageRecord:
        used = record(prompt=tokens, completion=0, time=self.clock.now(), **changes)
        await self.ledger.write([used])
        return used

    def is_refused(self, endpoint: str = "pilot") -> bool:
        return self.watch.refusal("default", endpoint, "primary") is not None


@pytest.fixture
async def watched() -> Watched:
    found = Watched()
    await found.budgets.add(_BUDGET)
    await found.watch.refresh()
    return found


async def test_refused_with_the_record_that_spends_it(watched: Watched):
    """A budget refuses from the record on that spends the last of it, without a reading."""
    watched.watch.add(await watched.use(600))
    assert not watched.is_refused()
    watched.watch.add(await watched.use(400))

    assert watched.is_refused()
    assert not watched.is_refused("other")
    verdict = watched.watch.refusal("default", "pilot", "any")
    assert verdict is not None
    assert (_BUDGET, 1000) == (verdict.budget, verdict.spent)


async def test_notice_for_each_share_once(watched: Watched):
    """A share that is reached asks for a reading, which gives its notice, once among all."""
    watched.watch.add(await watched.use(499))
    assert not watched.watch.wake.is_set()
    watched.watch.add(await watched.use(1))
    assert watched.watch.wake.is_set()
    [notice] = await watched.watch.refresh()

    assert (50, 500, "default", None) == (notice.share, notice.spent, notice.project, notice.due)
    assert [] == list(await watched.another().refresh())
    watched.watch.add(await watched.use(5000))
    assert [100] == [each.share for each in await watched.watch.refresh()]
    assert [] == list(await watched.watch.refresh())


async def test_next_period_begins_anew(watched: Watched):
    """At midnight nothing is refused any more, even before the ledger is read again."""
    watched.watch.add(await watched.use(1000))
    await watched.watch.refresh()
    assert watched.is_refused()
    watched.clock.advance(DAY / 2)

    assert not watched.is_refused()
    await watched.watch.refresh()
    assert not watched.is_refused()
    await watched.use(500)
    assert [50] == [each.share for each in await watched.watch.refresh()]


async def test_other_processes_count(watched: Watched):
    """What others' records spent is known with the next reading."""
    await watched.use(1000)
    assert not watched.is_refused()
    await watched.watch.refresh()

    assert watched.is_refused()


async def test_records_that_come_while_reading(watched: Watched):
    """A record that is added while the ledger is being read is not forgotten."""
    real = watched.ledger.spend

    async def spend(*arguments: object) -> dict[str, int]:
        found = dict(await real(*arguments))  # type: ignore[arg-type]
        watched.watch.add(await watched.use(1000))
        return found

    watched.ledger.spend = spend  # type: ignore[assignment, method-assign]
    await watched.watch.refresh()

    assert watched.is_refused()


async def test_money_and_key(watched: Watched):
    """Budgets of money count their currency alone, and a key's its own use."""
    await watched.budgets.add(
        replace(_BUDGET, id="bud_2", scope=Scope.KEY, subject="k", unit="EUR", webhook="http://x/")
    )
    await watched.watch.refresh()
    watched.watch.add(await watched.use(1, key="k", cost=5000, currency="USD", endpoint="other"))
    assert watched.watch.refusal("default", "other", "k") is None
    watched.watch.add(await watched.use(1, key="k", cost=1000, endpoint="other"))
    assert watched.watch.refusal("default", "other", "k") is not None
    first, second = await watched.watch.refresh()

    assert (50, 100) == (first.share, second.share)
    assert int(NOON) == second.due
    body = msgspec.json.decode(second.body)
    assert ("budget.reached", "0.000001 EUR", 100) == (body["event"], body["spent"], body["share"])


async def test_many_budgets_stand_as_each_alone():
    """They are read all at once, and say the same."""
    many = Watched()
    await many.use(700)
    await many.use(2000, endpoint="other", project="else")
    for i in range(30):
        subject = ("pilot", "other", "unasked")[i % 3]
        await many.budgets.add(replace(_BUDGET, id=f"bud_{i}", subject=subject, amount=100 * i + 1))
    given = await many.watch.refresh()

    assert {f"bud_{i}" for i in range(30) if i % 3 == 0 and 100 * i + 1 <= 1400} == {
        each.budget for each in given
    }
    assert many.is_refused()
    assert not many.is_refused("other")
    assert not many.is_refused("unasked")
