"""The law of the limits, against a count by hand of everything that ever happened."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cupola.kit.clock import FakeClock
from cupola.quotas.law import SLOTS, Window, correct, find_slot, read_calendar
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import Bound, Cost, Demand, Limits, Refused, Scope, Ticket

SCOPES = (Scope("endpoint", "e"), Scope("project", "p"), Scope("key", "k"))
START = 1_699_920_000.0
"""A midnight, so that nothing here comes near the next."""
LIMITS = (
    Limits(requests_per_minute=6, tokens_per_minute=80),
    Limits(requests_per_minute=9, concurrent_requests=4, tokens_per_day=400),
    Limits(tokens_per_minute=60, tokens_per_month=700, money_per_month=500),
)
BOUNDS = tuple(Bound(*pair) for pair in zip(SCOPES, LIMITS, strict=True))
ASKED = st.sets(st.sampled_from(range(3)), min_size=1).map(sorted)


@dataclass
class Entry:
    """A request that was admitted, as it is remembered by hand."""

    scopes: set[Scope]
    at: float
    ticket: Ticket
    settled: Cost | None = None
    ended: float | None = None
    never_ran: bool = False


@dataclass
class ByHand:
    """Everything that happened; each answer is summed anew."""

    entries: list[Entry] = field(default_factory=list)

    def of(self, scope: Scope) -> list[Entry]:
        return [entry for entry in self.entries if scope in entry.scopes]

    def requests(self, scope: Scope, now: float) -> int:
        return sum(counts(e.at, now) for e in self.of(scope) if not e.never_ran)

    def tokens(self, scope: Scope, now: float) -> int:
        return sum(sum(n for at, n in parts(e) if counts(at, now)) for e in self.of(scope))

    def running(self, scope: Scope) -> int:
        return sum(e.settled is None for e in self.of(scope))

    def spent(self, scope: Scope) -> Cost:
        """Settled or reserved. The tests stay within one day."""
        costs = [e.ticket.reserved if e.settled is None else e.settled for e in self.of(scope)]
        return Cost(sum(cost.tokens for cost in costs), sum(cost.money for cost in costs))


def counts(at: float, now: float) -> bool:
    return find_slot(now) - find_slot(at) < SLOTS


def parts(entry: Entry) -> Iterable[tuple[float, int]]:
    """When which tokens of a request count: the estimate at first, an overrun at the end."""
    reserved = entry.ticket.reserved.tokens
    if entry.settled is None or entry.ended is None:
        return [(entry.at, reserved)]
    true = entry.settled.tokens
    return [(entry.at, min(reserved, true)), (entry.ended, max(0, true - reserved))]


class Limited(RuleBasedStateMachine):
    """Any interleaving of asking, settling and waiting, in three scopes with different limits."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(START)
        self.counters = MemoryCounters(self.clock)
        self.hand = ByHand()

    @rule(asked=ASKED, certain=st.integers(0, 90), expected=st.integers(0, 90))
    def ask(self, asked: list[int], certain: int, expected: int) -> None:
        """Refused exactly if some limit would be exceeded; if so, `retry_after` is right."""
        bounds = [BOUNDS[index] for index in asked]
        demand = Demand(Cost(certain, certain), Cost(expected, expected))
        outcome = self.counters.reserve_now(bounds, demand, True)
        if isinstance(outcome, Ticket):
            assert not self._exceeded(bounds, outcome.reserved)
            scopes = {bound.scope for bound in bounds}
            self.hand.entries.append(Entry(scopes, self.clock.seconds, outcome))
        else:
            self._check_refusal(bounds, demand, outcome)

    @precondition(lambda self: self._open())
    @rule(data=st.data(), tokens=st.integers(0, 200), money=st.integers(0, 200))
    def settle(self, data: st.DataObject, tokens: int, money: int) -> None:
        entry = data.draw(st.sampled_from(self._open()))
        never_ran = data.draw(st.booleans()) and tokens == 0
        spent = Cost() if never_ran else Cost(tokens, money)
        self.counters.settle_now(entry.ticket, None if never_ran else spent)
        entry.settled, entry.ended, entry.never_ran = spent, self.clock.seconds, never_ran

    @rule(seconds=st.one_of(st.floats(0, 1), st.floats(0, 130)))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def counts_agree(self) -> None:
        """What is counted is what happened: reserved less given back is what was settled."""
        slot = find_slot(self.clock.seconds)
        for scope in SCOPES:
            meter = self.counters._meters.get(scope)
            if meter is None:
                continue
            meter.advance(slot, meter.seen)
            spent = self.hand.spent(scope)
            # A rest that is given back when its minute is over was not counted any more.
            assert self.hand.tokens(scope, self.clock.seconds) == meter.tokens.used
            assert self.hand.requests(scope, self.clock.seconds) == meter.requests.used
            assert self.hand.running(scope) == meter.running
            if scope != SCOPES[0]:  # the one without a day or a month
                assert spent.tokens == meter.day_tokens + meter.reserved_tokens
                assert spent.money == meter.month_money + meter.reserved_money
            assert min(meter.reserved_tokens, meter.reserved_money, meter.running) >= 0

    def _open(self) -> list[Entry]:
        return [entry for entry in self.hand.entries if entry.settled is None]

    def _exceeded(self, bounds: list[Bound], amount: Cost) -> bool:
        now = self.clock.seconds
        return any(
            self._exceeds_minute(bound, amount, now) or self._exceeds_other(bound, amount)
            for bound in bounds
        )

    def _exceeds_minute(self, bound: Bound, amount: Cost, now: float) -> bool:
        scope, limits = bound.scope, bound.limits
        return exceeds(
            (limits.requests_per_minute, self.hand.requests(scope, now) + 1),
            (limits.tokens_per_minute, self.hand.tokens(scope, now) + amount.tokens),
        )

    def _exceeds_other(self, bound: Bound, amount: Cost) -> bool:
        limits, spent = bound.limits, self.hand.spent(bound.scope)
        return exceeds(
            (limits.concurrent_requests, self.hand.running(bound.scope) + 1),
            (limits.tokens_per_day, spent.tokens + amount.tokens),
            (limits.tokens_per_month, spent.tokens + amount.tokens),
            (limits.money_per_month, spent.money + amount.money),
        )

    def _check_refusal(self, bounds: list[Bound], demand: Demand, refused: Refused) -> None:
        amount = fitted(bounds, demand)
        assert self._exceeded(bounds, amount)
        standing = refused.standing
        for allowance in (standing.requests, standing.tokens):
            assert allowance is None or 0 <= allowance.remaining <= allowance.limit
        if refused.limit in ("requests_per_minute", "tokens_per_minute"):
            if refused.retry_after is None:
                assert amount.tokens > refused.value
                return
            then = self.clock.seconds + refused.retry_after
            assert not any(self._exceeds_minute(bound, amount, then) for bound in bounds)
            assert any(self._exceeds_minute(bound, amount, then - 0.26) for bound in bounds)


def exceeds(*pairs: tuple[int | None, int]) -> bool:
    return any(most is not None and wanted > most for most, wanted in pairs)


def fitted(bounds: list[Bound], demand: Demand) -> Cost:
    """As `model.fit` promises: at least what is certain, otherwise no more than any limit."""
    limits = [bound.limits for bound in bounds]
    tokens = [
        most
        for one in limits
        for most in (one.tokens_per_minute, one.tokens_per_day, one.tokens_per_month)
        if most is not None
    ]
    money = [one.money_per_month for one in limits if one.money_per_month is not None]
    certain, expected = demand
    return Cost(
        max(certain.tokens, min([certain.tokens + expected.tokens, *tokens])),
        max(certain.money, min([certain.money + expected.money, *money])),
    )


Limited.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestLimited = Limited.TestCase


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 9)), max_size=200))
def test_no_minute_ever_holds_more(arrivals: list[tuple[float, int]]):
    """Whatever the arrivals, no sixty seconds hold more than the limit, to the last digit."""
    clock = FakeClock(START)
    counters = MemoryCounters(clock)
    admitted: list[tuple[float, int]] = []
    bound = Bound(SCOPES[0], Limits(tokens_per_minute=20))
    for pause, tokens in arrivals:
        clock.advance(pause)
        if isinstance(counters.reserve_now([bound], Demand(Cost(tokens)), True), Ticket):
            admitted.append((clock.seconds, tokens))

    for end, _ in admitted:
        assert sum(tokens for at, tokens in admitted if end - 60 <= at <= end) <= 20


def test_limit_is_used_to_a_percent():
    """64 clients that never tire get at least 99 % of what an exact minute would admit."""
    rng = random.Random(1)
    clock = FakeClock(START)
    counters = MemoryCounters(clock)
    bound = Bound(SCOPES[0], Limits(requests_per_minute=1000))
    admitted = 0
    for _ in range(64 * 600):  # each client every second, ten minutes and a bit
        clock.advance(rng.expovariate(64))
        outcome = counters.reserve_now([bound], Demand(Cost(1)), True)
        admitted += isinstance(outcome, Ticket)
    minutes = (clock.seconds - START) / 60

    assert 0.99 * 1000 * minutes <= admitted <= 1000 * (minutes + 1)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_correction_stays_within_doubt(before: int, growth: int, known: int):
    """The ledger's answer holds between none and all of what was settled while it was asked."""
    settled = before + growth
    corrected = correct(settled, before, known)

    assert known <= corrected <= known + growth
    if known <= settled <= known + growth:
        assert settled == corrected


@given(st.floats(0, 4e9))
def test_calendar_is_the_calendar(now: float):
    """The present is in its day and month, which come in order."""
    calendar = read_calendar(now)
    following = read_calendar(calendar.month_ends)

    assert calendar.day_ends - 86_400 <= now < calendar.day_ends <= calendar.month_ends
    assert calendar.month + 1 == following.month
    assert calendar.month == read_calendar(calendar.month_ends - 1).month


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 5)), min_size=1, max_size=50))
def test_window_frees_in_order(steps: list[tuple[int, int]]):
    """The more is needed, the later it is free; all of it, with the last that was added."""
    window, slot = Window(0), 0
    for pause, amount in steps:
        slot += pause
        window.advance(slot)
        window.add(slot, amount)
    ends = [window.find_free(needed) for needed in range(1, window.used + 1)]

    assert all(earlier <= later for earlier, later in pairwise(ends))
    assert (slot + SLOTS) / 4 == ends[-1]


def test_idle_scopes_are_forgotten():
    """Ten thousand keys in a day do not stay; those with a day's count, and those that run, do."""
    clock = FakeClock(START)
    counters = MemoryCounters(clock)
    daily = Bound(Scope("key", "daily"), Limits(tokens_per_day=100))
    running = Bound(Scope("key", "running"), Limits(concurrent_requests=1))
    counters.settle_now(take(counters, daily), Cost(60))
    take(counters, running)
    for number in range(10_000):
        clock.advance(1)
        bound = Bound(Scope("key", str(number)), Limits(requests_per_minute=1))
        counters.settle_now(take(counters, bound), Cost(1))

    assert counters.count_scopes() < 150
    assert 60 == asyncio.run(counters.read(daily.scope)).day_tokens
    assert isinstance(counters.reserve_now([running], Demand(Cost(1)), True), Refused)


def take(counters: MemoryCounters, bound: Bound) -> Ticket:
    outcome = counters.reserve_now([bound], Demand(Cost(1)), True)
    assert isinstance(outcome, Ticket)
    return outcome
