"""Metering that lives as long as the object: the fakes that ship."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cupola.kit.errors import Conflict, Stale
from cupola.metering.budget import TOKENS, Budget, Notice, Scope, Spending
from cupola.metering.model import DAY, HOUR, Price, UsageRecord
from cupola.metering.usage import (
    Dimension,
    Group,
    InstanceInterval,
    Query,
    Sums,
    UsageRow,
    cover,
    place,
    roll_up,
)


class MemoryRecords:
    """A `RecordStore` and a `UsageStore` without a database."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[int, UsageRecord]] = {}
        self._sequence = 0
        self._rows: dict[int, dict[Group, Sums]] = {HOUR: {}, DAY: {}}

    async def write(self, records: Sequence[UsageRecord]) -> None:
        for record in records:
            if record.request in self._records:
                continue
            self._sequence += 1
            self._records[record.request] = (self._sequence, record)
            for grain, rows in self._rows.items():
                for group, sums in roll_up([record], grain).items():
                    rows.setdefault(group, Sums()).add(sums)

    async def expire(self, before: float, limit: int) -> int:
        order = sorted((record.time, name) for name, (_, record) in self._records.items())
        old = [name for time, name in order if time < before][:limit]
        for name in old:
            del self._records[name]
        return len(old)

    async def close(self) -> None:
        pass

    async def sum(self, query: Query, limit: int) -> Sequence[UsageRow]:
        pieces = [(HOUR, query.start, query.end)]
        if query.grain != HOUR:
            pieces = list(cover(query.start, query.end))
        found = []
        for grain, start, end in pieces:
            for group, sums in self._rows[grain].items():
                where = place(query, _values(group), group.start)
                if start <= group.start < end and where is not None:
                    found.append(UsageRow(where, group.currency, sums))
        return found

    async def page(
        self,
        after: tuple[float, int],
        until: float,
        where: Mapping[Dimension, frozenset[str]],
        limit: int,
    ) -> Sequence[tuple[tuple[float, int], UsageRecord]]:
        found = [
            ((record.time, sequence), record)
            for sequence, record in self._records.values()
            if (record.time, sequence) > after
            and record.time < until
            and all(getattr(record, name) in values for name, values in where.items())
        ]
        return sorted(found, key=lambda each: each[0])[:limit]

    async def spend(
        self, project: str, scope: Scope, subject: str, start: int
    ) -> Mapping[str, int]:
        spent = {TOKENS: 0}
        for group, sums in self._rows[DAY].items():
            if group.start < start or group.project != project:
                continue
            if getattr(group, scope) != subject:
                continue
            spent[TOKENS] += sums.prompt + sums.completion
            if group.currency:
                spent[group.currency] = spent.get(group.currency, 0) + sums.cost
        return spent

    async def spends(self, start: int) -> Mapping[tuple[str, Scope, str], Mapping[str, int]]:
        spending = Spending()
        for group, sums in self._rows[DAY].items():
            if group.start >= start:
                tokens = sums.prompt + sums.completion
                place = (group.project, group.endpoint, group.key)
                spending.add(*place, group.currency, tokens, sums.cost)
        return spending.found


def _values(group: Group) -> Mapping[Dimension, str]:
    return {each: getattr(group, each) for each in Dimension if each in group._fields}


class MemoryIntervalSource:
    """An `IntervalSource` of intervals that are given."""

    def __init__(self, *intervals: InstanceInterval) -> None:
        self._intervals = intervals

    async def between(self, start: int, end: int) -> Sequence[InstanceInterval]:
        return [each for each in self._intervals if each.started < end and each.until > start]


class MemoryPrices:
    """A `PriceStore` without a database."""

    def __init__(self) -> None:
        self._prices: list[Price] = []

    async def add(self, price: Price) -> Price:
        price = replace(price, version=len(self._prices) + 1)
        self._prices.append(price)
        return price

    async def list(self) -> Sequence[Price]:
        return tuple(self._prices)


class MemoryBudgets:
    """A `BudgetStore` without a database."""

    def __init__(self) -> None:
        self._budgets: dict[str, Budget] = {}

    async def add(self, budget: Budget) -> None:
        if budget.id in self._budgets:
            raise Conflict("There is a budget of this id already.")
        self._budgets[budget.id] = budget

    async def save(self, budget: Budget) -> None:
        known = self._budgets.get(budget.id)
        if known is None or known.version != budget.version - 1:
            raise Stale("The budget was changed meanwhile. Read it again.")
        self._budgets[budget.id] = budget

    async def delete(self, budget: str) -> bool:
        return self._budgets.pop(budget, None) is not None

    async def find(self, budget: str) -> Budget | None:
        return self._budgets.get(budget)

    async def list(self, project: str | None = None) -> Sequence[Budget]:
        found = (self._budgets[name] for name in sorted(self._budgets))
        return [each for each in found if project in (None, each.project)]


class MemoryNotices:
    """A `NoticeStore` without a database."""

    def __init__(self) -> None:
        self._notices: dict[tuple[str, int, int], Notice] = {}

    async def add(self, notice: Notice) -> bool:
        place = (notice.budget, notice.start, notice.share)
        return self._notices.setdefault(place, notice) is notice

    async def claim(self, now: int, again: int, limit: int) -> Sequence[Notice]:
        waiting = [(each.due, each.id) for each in self._notices.values() if each.due is not None]
        names = [name for due, name in sorted(waiting) if due <= now][:limit]
        known = {each.id: each for each in self._notices.values()}
        claimed = [known[name] for name in names]
        for each in claimed:
            await self.save(replace(each, due=again))
        return [replace(each, due=again) for each in claimed]

    async def save(self, notice: Notice) -> None:
        self._notices[notice.budget, notice.start, notice.share] = notice

    async def list(self, project: str, limit: int = 100) -> Sequence[Notice]:
        found = [each for each in self._notices.values() if each.project == project]
        return sorted(found, key=lambda each: (-each.created, each.id))[:limit]

    async def said(self, budget: str, start: int) -> frozenset[int]:
        found = self._notices
        return frozenset(share for name, at, share in found if (name, at) == (budget, start))
