"""Counters in this process: what one gateway needs, and what several stand on while testing.

Nothing here waits: `reserve` and `settle` run to their end in one step, so no lock is needed and no
cancellation can come between. A scope that counts nothing any more is forgotten.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count

from cupola.kit.clock import Clock
from cupola.quotas.law import (
    UNKNOWN,
    Calendar,
    Window,
    correct,
    find_end,
    find_slot,
    read_calendar,
)
from cupola.quotas.model import (
    Allowance,
    Bound,
    Cost,
    Demand,
    LimitKind,
    Limits,
    Refused,
    Scope,
    Settled,
    Standing,
    Ticket,
    fit,
    longest,
)

_EXAMINED = 2
"""Scopes that are looked at for every new one, to be forgotten if idle: the number of scopes then
stays near that of those in use, and no request pays for a sweep over all."""


class _Meter:
    """What one scope uses."""

    __slots__ = (
        "day_tokens",
        "month_money",
        "month_tokens",
        "requests",
        "reserved_money",
        "reserved_tokens",
        "running",
        "seen",
        "slot",
        "tokens",
    )

    def __init__(self, slot: int, calendar: Calendar) -> None:
        self.slot = slot
        self.requests = Window(slot)
        self.tokens = Window(slot)
        self.running = 0
        self.seen = calendar
        self.day_tokens = self.month_tokens = self.month_money = 0
        self.reserved_tokens = self.reserved_money = 0

    def advance(self, slot: int, calendar: Calendar) -> None:
        """Come to the present. A clock that was set back does not bring a day back."""
        if slot != self.slot:
            self.slot = slot
            self.requests.advance(slot)
            self.tokens.advance(slot)
        if calendar is self.seen:
            return
        if calendar.day > self.seen.day:
            self.day_tokens = 0
            if calendar.month > self.seen.month:
                self.month_tokens = self.month_money = 0
            self.seen = calendar

    def find_exceeded(
        self, limits: Limits, amount: Cost, now: float, wall: float
    ) -> list[tuple[LimitKind, float | None]]:
        """Each limit without room for `amount`, and in how many seconds it has."""
        found: list[tuple[LimitKind, float | None]] = []
        most = limits.requests_per_minute
        if most is not None and self.requests.used + 1 > most:
            wait = self._wait(self.requests, 1, most, now)
            found.append((LimitKind.REQUESTS_PER_MINUTE, wait))
        most = limits.tokens_per_minute
        if most is not None and self.tokens.used + amount.tokens > most:
            wait = self._wait(self.tokens, amount.tokens, most, now)
            found.append((LimitKind.TOKENS_PER_MINUTE, wait))
        most = limits.concurrent_requests
        if most is not None and self.running + 1 > most:
            found.append((LimitKind.CONCURRENT_REQUESTS, UNKNOWN if most else None))
        if limits.by_calendar:
            found += self._find_spent(limits, amount, wall)
        return found

    def _find_spent(
        self, limits: Limits, amount: Cost, wall: float
    ) -> list[tuple[LimitKind, float | None]]:
        tokens, money = amount.tokens, amount.money
        wanted = self.reserved_tokens + tokens
        found: list[tuple[LimitKind, float | None]] = []
        most = limits.tokens_per_day
        if most is not None and self.day_tokens + wanted > most:
            wait = _wait_for(self.day_tokens, tokens, most, self.seen.day_ends - wall)
            found.append((LimitKind.TOKENS_PER_DAY, wait))
        most = limits.tokens_per_month
        if most is not None and self.month_tokens + wanted > most:
            wait = _wait_for(self.month_tokens, tokens, most, self.seen.month_ends - wall)
            found.append((LimitKind.TOKENS_PER_MONTH, wait))
        most = limits.money_per_month
        if most is not None and self.month_money + self.reserved_money + money > most:
            wait = _wait_for(self.month_money, money, most, self.seen.month_ends - wall)
            found.append((LimitKind.MONEY_PER_MONTH, wait))
        return found

    def _wait(self, window: Window, wanted: int, most: int, now: float) -> float | None:
        if wanted > most:
            return None
        return window.find_free(window.used + wanted - most) - now

    def is_idle(self, slot: int, calendar: Calendar) -> bool:
        self.advance(slot, calendar)
        counting = self.requests.used or self.tokens.used or self.running
        return not (counting or self.day_tokens or self.month_tokens or self.month_money)


class MemoryCounters:
    """`Counters` for one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._meters: OrderedDict[Scope, _Meter] = OrderedDict()
        self._calendar = read_calendar(clock.now())
        self._ids = count(1)

    async def reserve(
        self, bounds: Sequence[Bound], demand: Demand, *, enforce: bool = True
    ) -> Ticket | Refused:
        return self.reserve_now(bounds, demand, enforce)

    async def settle(self, ticket: Ticket, spent: Cost | None) -> None:
        self.settle_now(ticket, spent)

    def reserve_now(
        self, bounds: Sequence[Bound], demand: Demand, enforce: bool
    ) -> Ticket | Refused:
        """`reserve`, for whoever cannot await."""
        now, wall = self._clock.monotonic(), self._clock.now()
        slot, calendar = find_slot(now), self._read_calendar(wall)
        amount = fit(bounds, demand)
        known = len(self._meters)
        meters = [self._meter(bound.scope, slot, calendar) for bound in bounds]
        refused: Refused | None = None
        for bound, meter in zip(bounds, meters, strict=True):
            for kind, wait in meter.find_exceeded(bound.limits, amount, now, wall):
                value = getattr(bound.limits, kind)
                refused = longest(refused, Refused(kind, bound.scope, value, wait))
        if refused is not None and enforce:
            standing = _stand(bounds, meters, now)
            return Refused(
                refused.limit, refused.scope, refused.value, refused.retry_after, standing
            )
        for meter in meters:
            meter.requests.add(slot, 1)
            meter.tokens.add(slot, amount.tokens)
            meter.running += 1
            meter.reserved_tokens += amount.tokens
            meter.reserved_money += amount.money
        if len(self._meters) > known:  # after counting: what was just made looks idle before
            self._forget_idle((len(self._meters) - known) * _EXAMINED, slot, calendar)
        standing = _stand(bounds, meters, now)
        return Ticket(str(next(self._ids)), bounds, amount, slot, standing, refused)

    def settle_now(self, ticket: Ticket, spent: Cost | None) -> None:
        """`settle`, for whoever cannot await."""
        if not ticket.is_open:
            return
        ticket.is_open = False
        slot = find_slot(self._clock.monotonic())
        calendar = self._read_calendar(self._clock.now())
        reserved, true = ticket.reserved, spent or Cost()
        overrun = true.tokens - reserved.tokens
        for bound in ticket.bounds:
            meter = self._meter(bound.scope, slot, calendar)
            if spent is None:
                meter.requests.give_back(ticket.slot, 1)
            if overrun > 0:
                meter.tokens.add(slot, overrun)
            else:
                meter.tokens.give_back(ticket.slot, -overrun)
            meter.running -= 1
            meter.reserved_tokens -= reserved.tokens
            meter.reserved_money -= reserved.money
            if bound.limits.by_calendar:
                meter.day_tokens += true.tokens
                meter.month_tokens += true.tokens
                meter.month_money += true.money

    async def read(self, scope: Scope) -> Settled:
        meter = self._find(scope)
        if meter is None:
            return Settled(self._calendar.day, self._calendar.month)
        seen = meter.seen
        return Settled(
            seen.day, seen.month, meter.day_tokens, meter.month_tokens, meter.month_money
        )

    async def correct(self, scope: Scope, before: Settled, known: Settled) -> None:
        calendar = self._read_calendar(self._clock.now())
        meter = self._meter(scope, find_slot(self._clock.monotonic()), calendar)
        if before.day == known.day == meter.seen.day:
            meter.day_tokens = correct(meter.day_tokens, before.day_tokens, known.day_tokens)
        if before.month == known.month == meter.seen.month:
            meter.month_tokens = correct(
                meter.month_tokens, before.month_tokens, known.month_tokens
            )
            meter.month_money = correct(meter.month_money, before.month_money, known.month_money)

    def count_scopes(self) -> int:
        """How many are remembered."""
        return len(self._meters)

    def _find(self, scope: Scope) -> _Meter | None:
        calendar = self._read_calendar(self._clock.now())
        meter = self._meters.get(scope)
        if meter is not None:
            meter.advance(find_slot(self._clock.monotonic()), calendar)
        return meter

    def _meter(self, scope: Scope, slot: int, calendar: Calendar) -> _Meter:
        meter = self._meters.get(scope)
        if meter is None:
            meter = self._meters[scope] = _Meter(slot, calendar)
        else:
            meter.advance(slot, calendar)
        return meter

    def _forget_idle(self, examined: int, slot: int, calendar: Calendar) -> None:
        for _ in range(min(examined, len(self._meters))):
            scope = next(iter(self._meters))
            if self._meters[scope].is_idle(slot, calendar):
                del self._meters[scope]
            else:
                self._meters.move_to_end(scope)

    def _read_calendar(self, wall: float) -> Calendar:
        if wall >= self._calendar.day_ends:
            self._calendar = read_calendar(wall)
        return self._calendar


class MemoryLimits:
    """A `LimitStore` without a database."""

    def __init__(self) -> None:
        self._limits: dict[Scope, Limits] = {}

    async def put(self, bound: Bound) -> None:
        self._limits[bound.scope] = bound.limits

    async def find(self, scope: Scope) -> Limits | None:
        return self._limits.get(scope)

    async def delete(self, scope: Scope) -> bool:
        return self._limits.pop(scope, None) is not None

    async def list(self) -> Sequence[Bound]:
        return [Bound(*pair) for pair in sorted(self._limits.items(), key=lambda pair: pair[0])]


def _wait_for(settled: int, wanted: int, most: int, ends: float) -> float | None:
    """How long until a day or a month has room; None: it never will."""
    if wanted > most:
        return None
    # Where only reservations are in the way, some request's end makes room.
    return UNKNOWN if settled + wanted <= most else ends


def _stand(bounds: Sequence[Bound], meters: Sequence[_Meter], now: float) -> Standing:
    requests: Allowance | None = None
    tokens: Allowance | None = None
    for bound, meter in zip(bounds, meters, strict=True):
        if (most := bound.limits.requests_per_minute) is not None:
            requests = _least(requests, most, meter.requests, now)
        if (most := bound.limits.tokens_per_minute) is not None:
            tokens = _least(tokens, most, meter.tokens, now)
    return Standing(requests, tokens)


def _least(least: Allowance | None, most: int, window: Window, now: float) -> Allowance:
    """`model.least`, which makes no allowance that is not the least."""
    used = window.used
    left = most - used if used < most else 0
    if least is not None and least.remaining <= left:
        return least
    return Allowance(most, left, find_end(window.newest) - now if used else 0.0)
