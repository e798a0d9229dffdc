"""What people ask of metering: usage and cost, records, prices, budgets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cupola.ids import new_id
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, Invalid, NotFound, Stale
from cupola.kit.money import Money
from cupola.metering.budget import Budget, Notice, Period, Scope, Verdict, evaluate, start_of
from cupola.metering.model import Price, PriceBook, PriceKind, UsageRecord
from cupola.metering.ports import (
    BudgetStore,
    IntervalSource,
    NoticeStore,
    PriceStore,
    UsageStore,
)
from cupola.metering.rules import WebhookRule
from cupola.metering.usage import TIMES, Dimension, Query, UsageRow, merge, use_of_instances

MOST_ROWS: Final = 20_000
"""Of one report; a table of more is for a machine, which asks for several."""
_PAGE: Final = 1000
"""Records read at once for an export."""
_FEW: Final = 1000
"""Rows that are merged in a millisecond; more are merged beside the event loop."""
_PUBLIC: Final = WebhookRule()


class Usage:
    """Reads the ledger.

    Args:
        book: The prices as they are now; they tell what instances cost.
    """

    def __init__(
        self, store: UsageStore, intervals: IntervalSource, book: Callable[[], PriceBook]
    ) -> None:
        self._store = store
        self._intervals = intervals
        self._book = book

    async def report(self, query: Query) -> Sequence[UsageRow]:
        """Tokens and instances by group and currency, in order of the groups.

        Raises:
            Invalid: There would be more than `MOST_ROWS` rows.
        """
        rows = list(await self._store.sum(query, MOST_ROWS + 1))
        if len(rows) <= MOST_ROWS:
            intervals = await self._intervals.between(query.start, query.end)
            rows.extend(use_of_instances(query, intervals, self._book()))
        merged = await asyncio.to_thread(merge, rows) if len(rows) > _FEW else merge(rows)
        if len(merged) > MOST_ROWS:
            raise Invalid(
                f"This asks for more than {MOST_ROWS} rows. Take a shorter period, days instead of "
                "hours, or fewer things to group by; or export the records."
            )
        return merged

    async def iter_records(
        self,
        start: float,
        end: float,
        where: Mapping[Dimension, frozenset[str]] | None = None,
    ) -> AsyncIterator[UsageRecord]:
        """The records of a period, oldest first, read in pages, however many there are.

        A record that becomes durable meanwhile with an earlier time than those read is left out.
        """
        if wrong := TIMES & (where or {}).keys():
            raise Invalid(f"Filter the {min(wrong)} by the period instead.")
        after = (start, 0)
        while page := await self._store.page(after, end, where or {}, _PAGE):
            for _, record in page:
                yield record
            after = page[-1][0]


class Prices:
    """What things cost, and did.

    The book in memory learns of a price by `refresh`, which is for after the unit of work in which
    it was set: what is taken back must never have cost anybody anything.
    """

    def __init__(self, store: PriceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._book = PriceBook()

    def book(self) -> PriceBook:
        """All prices, as of the last `refresh`."""
        return self._book

    async def refresh(self) -> None:
        """Read the prices again; others may have changed them."""
        self._book = PriceBook(await self._store.list())

    async def list(self) -> Sequence[Price]:
        """Those that were, are and will be, in the order in which they were set."""
        return await self._store.list()

    async def set_model(
        self, model: str, per_input: Money, per_output: Money, valid_from: int | None = None
    ) -> Price:
        """What 1,000 tokens of a model cost, from now or from a later moment on.

        Raises:
            Invalid: A price is negative, they are in two currencies, or the moment has passed.
        """
        if per_input.currency != per_output.currency:
            raise Invalid("The prices of input and output are in one currency.")
        price = Price(
            PriceKind.MODEL,
            model,
            per_input.currency,
            self._begin(valid_from),
            input=_check(per_input, "input"),
            output=_check(per_output, "output"),
        )
        return await self._store.add(price)

    async def set_instance_type(
        self, name: str, per_hour: Money, valid_from: int | None = None
    ) -> Price:
        """What an hour of one instance costs, from now or from a later moment on.

        Raises:
            Invalid: The price is negative, or the moment has passed.
        """
        begin = self._begin(valid_from)
        kind = PriceKind.INSTANCE_TYPE
        hour = _check(per_hour, "hour")
        return await self._store.add(Price(kind, name, per_hour.currency, begin, hour=hour))

    def _begin(self, valid_from: int | None) -> int:
        """Never in the past: what was used then has its price."""
        now = int(self._clock.now()) + 1  # the second that runs has its price too
        if valid_from is not None and valid_from < now:
            raise Invalid("A price is valid from a moment that is to come.", path=("valid_from",))
        return now if valid_from is None else valid_from


_DEAREST: Final = 1_000_000_000_000_000
"""Nano-units: a million. Times the tokens of any request this still fits into a record."""


def _check(money: Money, what: str) -> int:
    if not 0 <= money.nano <= _DEAREST:
        raise Invalid(f"A price is from 0 to {Money(_DEAREST, money.currency)}.", path=(what,))
    return money.nano


@dataclass(frozen=True, slots=True)
class BudgetOrder:
    """What a budget shall be."""

    scope: Scope
    subject: str
    unit: str
    amount: int
    period: Period
    warn: tuple[int, ...] = field(default=(80, 100))
    refuse: bool = False
    webhook: str | None = None


class Budgets:
    """Budgets of projects, their endpoints and keys. Who may, is the caller's to check.

    Args:
        on_change: Called after each change, so that what watches budgets reads them again.
        webhooks: Where notices may be posted.
    """

    def __init__(
        self,
        store: BudgetStore,
        notices: NoticeStore,
        usage: UsageStore,
        clock: Clock,
        on_change: Callable[[], None] = lambda: None,
        webhooks: WebhookRule = _PUBLIC,
    ) -> None:
        self._store = store
        self._webhooks = webhooks
        self._notices = notices
        self._usage = usage
        self._clock = clock
        self._on_change = on_change

    async def create(self, project: str, order: BudgetOrder, id: str | None = None) -> Budget:
        """A new budget.

        Args:
            id: The one it is to have, as one that comes back after all was wiped; None: a new one.

        Raises:
            Invalid: It makes no sense; `path` says what.
            Conflict: There is a budget of this id.
        """
        if id is not None and await self._store.find(id) is not None:
            raise Conflict(
                f"There is a budget {id!r} already, of another project. Rename this one."
            )
        budget = Budget(
            id or new_id("bud"),
            project,
            order.scope,
            order.subject,
            order.unit,
            order.amount,
            order.period,
            order.warn,
            order.refuse,
            order.webhook,
            created=int(self._clock.now()),
        )
        self._check_webhook(budget)
        await self._store.add(budget)
        self._on_change()
        return budget

    async def change(self, project: str, budget: str, order: BudgetOrder, version: int) -> Budget:
        """Replace what a budget says.

        Raises:
            Stale: It has another version by now.
        """
        known = await self.get(project, budget)
        if known.version != version:
            raise Stale("The budget was changed meanwhile. Read it again.")
        changed = replace(
            known,
            scope=order.scope,
            subject=order.subject,
            unit=order.unit,
            amount=order.amount,
            period=order.period,
            warn=order.warn,
            refuse=order.refuse,
            webhook=order.webhook,
            version=version + 1,
        )
        self._check_webhook(changed)
        await self._store.save(changed)
        self._on_change()
        return changed

    async def delete(self, project: str, budget: str) -> None:
        """Forget a budget; its notices stay."""
        await self.get(project, budget)
        await self._store.delete(budget)
        self._on_change()

    async def get(self, project: str, budget: str) -> Budget:
        """A project's budget.

        Raises:
            NotFound: The project has none of this id.
        """
        found = await self._store.find(budget)
        if found is None or found.project != project:
            raise NotFound(f"The project has no budget {budget!r}.")
        return found

    async def list(self, project: str) -> Sequence[Verdict]:
        """A project's budgets, and how each stands."""
        return [await self.judge(budget) for budget in await self._store.list(project)]

    async def judge(self, budget: Budget) -> Verdict:
        """How a budget stands now."""
        start = start_of(budget.period, self._clock.now())
        spent = await self._usage.spend(budget.project, budget.scope, budget.subject, start)
        said = await self._notices.said(budget.id, start)
        return evaluate(budget, spent.get(budget.unit, 0), said)

    async def notices(self, project: str) -> Sequence[Notice]:
        """Warnings given, newest first."""
        return await self._notices.list(project)

    def _check_webhook(self, budget: Budget) -> None:
        if budget.webhook is not None:
            self._webhooks.check(budget.webhook)
