"""The limiter, as the gateway uses it: estimate, admit (perhaps after a wait), settle.

A request that is refused may wait, if the operator wants that: first come, first served, in one
line for each scope that has no room, bounded in length and time. Whoever comes while others wait
for the same scope stands behind them, even if there is room just then.
"""

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from cupola.kit.clock import Clock
from cupola.kit.errors import RateLimited
from cupola.quotas.law import Calendar, find_starts, read_calendar
from cupola.quotas.model import (
    NO_STANDING,
    Bound,
    Cost,
    Demand,
    LimitKind,
    Rate,
    Refused,
    Scope,
    Settled,
    Ticket,
    explain,
    price,
)
from cupola.quotas.ports import Counters, SpentSource

_FIRST_GUESS = 256
"""Tokens expected of a model's first completion: a few paragraphs."""
_WEIGHT = 1 / 16
"""Of each completion in the running average, which so remembers a few dozen."""
_LOOK_AGAIN = 0.1
"""Seconds after which the first in a line asks again: other gateways' settlements are not heard."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How limits are applied."""

    shadow: bool = False
    """Count, and say what would be refused, but refuse nothing."""
    whole: bool = False
    """Reserve all that a request allows for its completion instead of what is usual: then nothing
    is ever overrun, and far less runs at once."""
    queue_length: int = 0
    """Requests that may wait for one scope; 0: none waits."""
    queue_seconds: float = 5.0
    """How long one may wait."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Since the process started."""

    admitted: int
    refused: Mapping[LimitKind, int]
    """In the shadow too, where they were admitted."""
    uncounted: int
    """Admitted because the counters were away."""
    waited: int
    """Requests that stood in a line, whatever became of them."""
    waiting: int
    """Now."""


@dataclass(slots=True)
class _Line:
    """Those that wait for one scope; never empty."""

    refused: Refused
    """Why the first one waits, as anybody may know it."""
    waiters: "deque[_Waiter]" = field(default_factory=deque)


@dataclass(eq=False, slots=True)
class _Waiter:
    """One request in a line."""

    line: _Line
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is worth asking again."""


class Limiter:
    """Keeps requests within what scopes may use."""

    def __init__(self, counters: Counters, clock: Clock, options: Options | None = None) -> None:
        self._counters = counters
        self._clock = clock
        self._options = options or Options()
        self._averages: dict[str, float] = {}
        self._lines: dict[Scope, _Line] = {}
        self._admitted = self._uncounted = self._waited = 0
        self._refused: Counter[LimitKind] = Counter()

    def estimate(self, model: str, prompt: int, most: int, rate: Rate | None = None) -> Demand:
        """What a request will need.

        Args:
            prompt: Its tokens, counted or estimated with care.
            most: Tokens that the completion may have (all replies of `n` together).
        """
        usual = most
        if not self._options.whole:
            usual = min(most, math.ceil(self._averages.get(model, _FIRST_GUESS)))
        return price(rate or Rate(), prompt, usual)

    async def admit(self, bounds: Sequence[Bound], demand: Demand) -> Ticket | Refused:
        """A ticket, which must be settled whatever happens; or why there is none."""
        scope = self._find_line(bounds)
        if scope is None:
            outcome = await self._ask(bounds, demand)
            if isinstance(outcome, Ticket) or not self._may_wait(outcome):
                return self._note(outcome)
        else:
            outcome = self._lines[scope].refused
            if self._is_full(scope):
                return self._note(outcome)
        return self._note(await self._wait(bounds, demand, outcome))

    async def settle(
        self, ticket: Ticket, spent: Cost | None, *, model: str = "", completion: int | None = None
    ) -> None:
        """Charge what was spent, and nothing else; None if the request never ran.

        Args:
            model: Whose usual completion becomes better known,
            completion: by the tokens of this one; None if it was cut short.
        """
        if spent is not None:
            # An engine's count comes from outside, and limits must not be widened by a bad one.
            spent = Cost(max(0, spent.tokens), max(0, spent.money))
        if completion is not None and ticket.is_open:
            usual = self._averages.get(model)
            self._averages[model] = (
                float(completion) if usual is None else usual + (completion - usual) * _WEIGHT
            )
        try:
            await self._counters.settle(ticket, spent)
        finally:
            for bound in ticket.bounds:
                self._wake(bound.scope)

    async def reseed(self, bounds: Sequence[Bound], ledger: SpentSource) -> None:
        """Learn what scopes have spent in this day and month: at the start, and now and then."""
        for bound in bounds:
            if bound.limits.by_calendar:
                before = await self._counters.read(bound.scope)
                known = await _ask_ledger(ledger, bound.scope, read_calendar(self._clock.now()))
                await self._counters.correct(bound.scope, before, known)

    async def keep_seeded(
        self, bounds: Callable[[], Sequence[Bound]], ledger: SpentSource, seconds: float
    ) -> None:
        """`reseed` for ever, for whatever bounds there are then."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.reseed(bounds(), ledger)
            except Exception as error:  # noqa: BLE001  a task's top; the ledger will be back
                _log.warning("What was spent cannot be read now, and is counted on: %s", error)

    def statistics(self) -> Statistics:
        """What was decided so far."""
        waiting = sum(len(line.waiters) for line in self._lines.values())
        return Statistics(
            self._admitted, dict(self._refused), self._uncounted, self._waited, waiting
        )

    async def _ask(self, bounds: Sequence[Bound], demand: Demand) -> Ticket | Refused:
        return await self._counters.reserve(bounds, demand, enforce=not self._options.shadow)

    def _note(self, outcome: Ticket | Refused) -> Ticket | Refused:
        refused = outcome.exceeded if isinstance(outcome, Ticket) else outcome
        if refused is not None:
            self._refused[refused.limit] += 1
        if isinstance(outcome, Ticket):
            self._admitted += 1
            self._uncounted += not outcome.counted
        return outcome

    def _may_wait(self, refused: Refused) -> bool:
        """Whether there is a place in the line, and room may come in time."""
        if not self._options.queue_length or refused.retry_after is None:
            return False
        # Of all limits only this one is never freed before its time, by another request's end.
        too_late = refused.retry_after > self._options.queue_seconds
        if refused.limit is LimitKind.REQUESTS_PER_MINUTE and too_late:
            return False
        return not self._is_full(refused.scope)

    def _find_line(self, bounds: Sequence[Bound]) -> Scope | None:
        if self._lines:
            for bound in bounds:
                if bound.scope in self._lines:
                    return bound.scope
        return None

    def _is_full(self, scope: Scope) -> bool:
        line = self._lines.get(scope)
        return line is not None and len(line.waiters) >= self._options.queue_length

    async def _wait(
        self, bounds: Sequence[Bound], demand: Demand, refused: Refused
    ) -> Ticket | Refused:
        """Stand in line until there is room, or time is up."""
        self._waited += 1
        ends = asyncio.get_running_loop().time() + self._options.queue_seconds
        while True:
            scope = refused.scope
            with self._standing_in_line(refused) as waiter:
                outcome = await self._ask_in_turn(bounds, demand, waiter, ends)
            if isinstance(outcome, Ticket) or outcome.scope == scope:
                return outcome
            # Those behind need not wait for room in a scope that is not theirs.
            if not self._may_wait(outcome):
                return outcome
            refused = outcome

    @contextmanager
    def _standing_in_line(self, refused: Refused) -> Iterator[_Waiter]:
        line = self._lines.get(refused.scope)
        if line is None:
            plain = replace(refused, standing=NO_STANDING)
            line = self._lines[refused.scope] = _Line(plain)
        waiter = _Waiter(line)
        line.waiters.append(waiter)
        try:
            yield waiter
        finally:
            line.waiters.remove(waiter)
            if line.waiters:
                line.waiters[0].turn.set()
            else:
                del self._lines[refused.scope]

    async def _ask_in_turn(
        self, bounds: Sequence[Bound], demand: Demand, waiter: _Waiter, ends: float
    ) -> Ticket | Refused:
        """A ticket; a refusal by another scope than the line's; or, time being up, by any."""
        line, loop = waiter.line, asyncio.get_running_loop()
        outcome: Refused = line.refused
        while (left := ends - loop.time()) > 0:
            pause = min(left, _LOOK_AGAIN) if line.waiters[0] is waiter else left
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await waiter.turn.wait()
            waiter.turn.clear()
            if line.waiters[0] is not waiter:
                continue
            asked = await self._ask(bounds, demand)
            if isinstance(asked, Ticket) or asked.scope != line.refused.scope:
                return asked
            outcome = asked
            # Others in the line are not told how the first one's key stands.
            line.refused = replace(asked, standing=NO_STANDING)
        return outcome

    def _wake(self, scope: Scope) -> None:
        if (line := self._lines.get(scope)) is not None:
            line.waiters[0].turn.set()


def refusal(refused: Refused) -> RateLimited:
    """The same as an error, for the dialects to write. Seconds are whole, and rounded up."""
    wait = None if refused.retry_after is None else float(math.ceil(refused.retry_after))
    return RateLimited(explain(refused), private=f"{refused}", retry_after=wait)


async def _ask_ledger(ledger: SpentSource, scope: Scope, calendar: Calendar) -> Settled:
    day_starts, month_starts = find_starts(calendar)
    day = await ledger.find_spent(scope, day_starts)
    month = await ledger.find_spent(scope, month_starts)
    return Settled(calendar.day, calendar.month, day.tokens, month.tokens, month.money)
