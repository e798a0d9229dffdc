"""Budgets, watched: refusals known in memory, and notices given as soon as a share is reached.

What is spent is read from the ledger at times, and counted up with each record in between; other
processes' records come with the next reading. A notice is given for what the ledger says, never for
the count.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from cupola.ids import new_id
from cupola.kit.clock import Clock
from cupola.metering.budget import (
    Budget,
    Notice,
    Scope,
    Verdict,
    end_of,
    evaluate,
    spending_of,
    start_of,
    subjects_of,
)
from cupola.metering.model import UsageRecord
from cupola.metering.ports import BudgetStore, NoticeStore, UsageStore

_FEW: Final = 8
"""Budgets of a period that are read one by one. Measured with 1,200 keys: one takes a tenth of what
all at once take."""
_Spends: TypeAlias = Mapping[int, Mapping[tuple[str, Scope, str], Mapping[str, int]]]

_log = logging.getLogger(__name__)


class _Watched:
    """A budget, and what is known to be spent of it in its period."""

    __slots__ = ("budget", "end", "next_share", "spent", "start")

    def __init__(self, verdict: Verdict, start: int, end: int | None, said: frozenset[int]) -> None:
        self.budget = verdict.budget
        self.spent = verdict.spent
        self.start = start
        self.end = end
        known = said.union(verdict.due)
        self.next_share = min(
            (share for share in self.budget.warn if share not in known), default=None
        )

    def add(self, amount: int) -> bool:
        """Whether a notice may have become due."""
        self.spent += amount
        share = self.next_share
        return share is not None and self.spent * 100 >= self.budget.amount * share


class BudgetWatch:
    """All budgets of the installation. `add` and `refusal` are for the way of a request."""

    def __init__(
        self, store: BudgetStore, notices: NoticeStore, usage: UsageStore, clock: Clock
    ) -> None:
        self._store = store
        self._notices = notices
        self._usage = usage
        self._clock = clock
        self._watched: dict[tuple[str, Scope, str], list[_Watched]] = {}
        self._meanwhile: list[UsageRecord] | None = None
        """What was added while the ledger was being read."""
        self.wake = asyncio.Event()
        """Set when it should be read again soon."""

    def add(self, record: UsageRecord) -> None:
        """Count a record that is durable."""
        if self._meanwhile is not None:
            self._meanwhile.append(record)
        if self._watched:
            self._count(record)

    def refusal(self, project: str, endpoint: str, key: str) -> Verdict | None:
        """The budget that forbids a request, if one does."""
        if not self._watched:
            return None
        now = self._clock.now()
        for place in (
            (project, Scope.PROJECT, project),
            (project, Scope.ENDPOINT, endpoint),
            (project, Scope.KEY, key),
        ):
            for each in self._watched.get(place, ()):
                over = each.end is not None and now >= each.end
                verdict = Verdict(each.budget, each.spent, ())
                if verdict.refused and not over:
                    return verdict
        return None

    async def refresh(self) -> Sequence[Notice]:
        """Read budgets and what is spent anew; returns the notices that this has given."""
        self.wake.clear()
        self._meanwhile = []
        try:
            given: list[Notice] = []
            watched: dict[tuple[str, Scope, str], list[_Watched]] = {}
            now = self._clock.now()
            budgets = await self._store.list()
            spends = await self._read_spends([start_of(each.period, now) for each in budgets])
            for budget in budgets:
                found = await self._read(budget, now, spends)
                given.extend(found[1])
                place = (budget.project, budget.scope, budget.subject)
                watched.setdefault(place, []).append(found[0])
            self._watched = watched
            for record in self._meanwhile:
                self._count(record)
        finally:
            self._meanwhile = None
        return given

    def _count(self, record: UsageRecord) -> None:
        spending = spending_of(record)
        for place in subjects_of(record):
            for each in self._watched.get(place, ()):
                if int(record.time) >= each.start and each.add(spending.get(each.budget.unit, 0)):
                    self.wake.set()

    async def _read_spends(self, starts: Sequence[int]) -> _Spends:
        """What was spent in the periods that many budgets have: one by one they would take longer
        than all together."""
        often = [start for start, number in Counter(starts).items() if number > _FEW]
        return {start: await self._usage.spends(start) for start in often}

    async def _read(
        self, budget: Budget, now: float, spends: _Spends
    ) -> tuple[_Watched, Sequence[Notice]]:
        start = start_of(budget.period, now)
        place = (budget.project, budget.scope, budget.subject)
        if start in spends:
            spent = spends[start].get(place, {})
        else:
            spent = await self._usage.spend(*place, start)
        said = await self._notices.said(budget.id, start)
        verdict = evaluate(budget, spent.get(budget.unit, 0), said)
        given = [
            notice
            for share in verdict.due
            if await self._notices.add(notice := _write(verdict, share, start, now))
        ]
        for notice in given:
            _log.warning(
                "Project %s has spent %s of its budget %s: %s %%.",
                budget.project,
                budget.spell(verdict.spent),
                budget.spell(budget.amount),
                notice.share,
            )
        return _Watched(verdict, start, end_of(budget.period, now), said), given


def _write(verdict: Verdict, share: int, start: int, now: float) -> Notice:
    """A notice, and the body that its webhook delivers."""
    budget = verdict.budget
    notice = new_id("ntc")
    body = {
        "id": notice,
        "event": "budget.reached",
        "time": int(now),
        "project": budget.project,
        "budget": budget.id,
        "scope": budget.scope,
        "subject": budget.subject,
        "period": budget.period,
        "period_start": start,
        "share": share,
        "spent": budget.spell(verdict.spent),
        "amount": budget.spell(budget.amount),
        "refuse": budget.refuse,
    }
    return Notice(
        notice,
        budget.id,
        budget.project,
        start,
        share,
        verdict.spent,
        int(now),
        budget.webhook,
        msgspec.json.encode(body).decode(),
        due=None if budget.webhook is None else int(now),
    )
