"""The limiter as the gateway uses it: estimates, lines, the shadow, and what the ledger knows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from cupola.kit.clock import FakeClock
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import (
    NO_STANDING,
    Bound,
    Cost,
    Demand,
    LimitKind,
    Limits,
    Rate,
    Refused,
    Scope,
    Ticket,
)
from cupola.quotas.service import Limiter, Options

pytestmark = pytest.mark.usefixtures("leaping")

PILOT = Scope("endpoint", "pilot")
ONE = [Bound(PILOT, Limits(concurrent_requests=1))]
SMALL = Demand(Cost(10))
LINE = Options(queue_length=3, queue_seconds=5)


@dataclass
class Ledger:
    """Records as (time, scope, cost)."""

    records: list[tuple[float, Scope, Cost]] = field(default_factory=list)

    async def find_spent(self, scope: Scope, since: float) -> Cost:
        found = [cost for at, of, cost in self.records if of == scope and at >= since]
        return Cost(sum(cost.tokens for cost in found), sum(cost.money for cost in found))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_699_920_000.0 + 3600)


def make(clock: FakeClock, options: Options | None = None) -> Limiter:
    return Limiter(MemoryCounters(clock), clock, options)


async def hold(limiter: Limiter, bounds: Sequence[Bound] = ONE) -> Ticket:
    outcome = await limiter.admit(bounds, SMALL)
    assert isinstance(outcome, Ticket)
    return outcome


async def queue(
    limiter: Limiter, number: int, bounds: Sequence[Bound] = ONE
) -> list[asyncio.Task[Ticket | Refused]]:
    """So many more, who came in this order."""
    tasks = []
    for _ in range(number):
        tasks.append(asyncio.ensure_future(limiter.admit(bounds, SMALL)))
        await asyncio.sleep(0)
    return tasks


async def test_estimate_learns_from_completions(clock: FakeClock):
    """The running average takes the place of the first guess, and never exceeds what is asked."""
    limiter = make(clock)
    assert 256 == limiter.estimate("m", 5, 10_000).expected.tokens
    for _ in range(100):
        await limiter.settle(await hold(limiter), Cost(100), model="m", completion=100)

    assert Demand(Cost(5), Cost(100)) == limiter.estimate("m", 5, 10_000)
    assert 40 == limiter.estimate("m", 5, 40).expected.tokens
    assert 256 == limiter.estimate("other", 5, 10_000).expected.tokens
    assert Cost(100, 300) == limiter.estimate("m", 5, 10_000, Rate(1, 3000)).expected


async def test_whole_estimate_overruns_nothing(clock: FakeClock):
    """Where the operator wants certainty, all that may be generated is reserved."""
    assert 9000 == make(clock, Options(whole=True)).estimate("m", 5, 9000).expected.tokens


async def test_refused_at_once_without_a_line(clock: FakeClock):
    """By default nobody waits."""
    limiter = make(clock)
    await hold(limiter)

    assert isinstance(await asyncio.wait_for(limiter.admit(ONE, SMALL), 0.05), Refused)
    assert {LimitKind.CONCURRENT_REQUESTS: 1} == limiter.statistics().refused


async def test_first_come_first_served(clock: FakeClock):
    """Those in line are admitted in their order, each as soon as there is room."""
    limiter = make(clock, LINE)
    ticket = await hold(limiter)
    tasks = await queue(limiter, 3)
    for task in tasks:
        assert not any(one.done() for one in tasks if one is not task and not passed(one))
        await limiter.settle(ticket, Cost(1))
        outcome = await asyncio.wait_for(asyncio.shield(task), 0.09)
        assert isinstance(outcome, Ticket)
        ticket = outcome

    assert (0, 3) == (limiter.statistics().waiting, limiter.statistics().waited)


def passed(task: asyncio.Task[Ticket | Refused]) -> bool:
    return task.done() and isinstance(task.result(), Ticket)


async def test_nobody_jumps_the_line(clock: FakeClock):
    """Whoever comes just as there is room stands behind those who came before."""
    limiter = make(clock, Options(queue_length=3, queue_seconds=0.3))
    ticket = await hold(limiter)
    (waiting,) = await queue(limiter, 1)
    await limiter.settle(ticket, Cost(1))
    late = await limiter.admit(ONE, SMALL)  # in the same step: the one in line has not seen it yet

    assert passed(waiting)
    assert isinstance(late, Refused)


async def test_line_has_an_end(clock: FakeClock):
    """Beyond its length, requests are refused as if there was no line."""
    limiter = make(clock, LINE)
    await hold(limiter)
    tasks = await queue(limiter, 3)

    outcome = await asyncio.wait_for(limiter.admit(ONE, SMALL), 0.05)
    assert isinstance(outcome, Refused)
    assert 3 == limiter.statistics().waiting
    for task in tasks:
        task.cancel()


async def test_line_tells_nothing_of_those_in_it(clock: FakeClock):
    """Who is refused because of the line is not told how another's key stands."""
    limiter = make(clock, Options(queue_length=1))
    bounds = [*ONE, Bound(Scope("key", "a"), Limits(requests_per_minute=7))]
    await hold(limiter, bounds)
    (waiting,) = await queue(limiter, 1, bounds)
    for pause in (0, 0.15):  # before and after the first in line has asked again
        await asyncio.sleep(pause)
        outcome = await limiter.admit(ONE, SMALL)

        assert isinstance(outcome, Refused)
        assert NO_STANDING == outcome.standing
    waiting.cancel()


async def test_waiting_has_an_end(clock: FakeClock):
    """Who waited in vain is refused, and has left the line."""
    limiter = make(clock, Options(queue_length=2, queue_seconds=0.15))
    await hold(limiter)
    outcomes = await asyncio.gather(*await queue(limiter, 2))

    assert all(isinstance(outcome, Refused) for outcome in outcomes)
    assert 0 == limiter.statistics().waiting


async def test_whoever_hangs_up_leaves_the_line(clock: FakeClock):
    """The first in line is gone when its turn comes: the next one gets it."""
    limiter = make(clock, LINE)
    ticket = await hold(limiter)
    first, second, third = await queue(limiter, 3)
    second.cancel()
    await limiter.settle(ticket, Cost(1))
    first.cancel()

    outcome = await asyncio.wait_for(third, 0.5)
    assert isinstance(outcome, Ticket)
    await limiter.settle(outcome, Cost(1))
    await hold(limiter)


async def test_no_waiting_for_what_comes_too_late(clock: FakeClock):
    """A minute's requests are not freed sooner: waiting five seconds for them would be in vain."""
    limiter = make(clock, LINE)
    bounds = [Bound(PILOT, Limits(requests_per_minute=1))]
    await hold(limiter, bounds)

    assert isinstance(await asyncio.wait_for(limiter.admit(bounds, SMALL), 0.05), Refused)


async def test_lines_are_the_scopes(clock: FakeClock):
    """One key's line does not hold up another key, and tells it nothing."""
    limiter = make(clock, LINE)
    mine = [Bound(PILOT, Limits(concurrent_requests=9)), Bound(Scope("key", "a"), ONE[0].limits)]
    other = [mine[0], Bound(Scope("key", "b"), ONE[0].limits)]
    await hold(limiter, mine)
    (waiting,) = await queue(limiter, 1, mine)

    await asyncio.wait_for(hold(limiter, other), 0.05)
    assert not waiting.done()
    waiting.cancel()


async def test_first_in_line_moves_to_the_line_it_waits_for(clock: FakeClock):
    """Who has room in the endpoint but not in its own key does not block the others there."""
    limiter = make(clock, LINE)
    key = Bound(Scope("key", "a"), ONE[0].limits)
    ticket = await hold(limiter)
    mine = await hold(limiter, [key])
    blocked, free = (await queue(limiter, 1, [*ONE, key])) + (await queue(limiter, 1))
    await asyncio.sleep(0.15)  # the first one has seen that its key is the longer wait, or not
    await limiter.settle(ticket, Cost(1))

    outcome = await asyncio.wait_for(free, 0.5)
    assert isinstance(outcome, Ticket)
    assert not blocked.done()
    await limiter.settle(outcome, Cost(1))
    await limiter.settle(mine, Cost(1))
    assert isinstance(await asyncio.wait_for(blocked, 0.5), Ticket)


@pytest.mark.parametrize("limit", [1, 8, 40])
async def test_line_wastes_and_oversteps_nothing(clock: FakeClock, limit: int):
    """64 clients, some of whom hang up: never more than the limit at once, and all are served."""
    limiter = make(clock, Options(queue_length=64, queue_seconds=30))
    bounds = [Bound(PILOT, Limits(concurrent_requests=limit))]
    running = most = served = 0

    async def client(number: int) -> None:
        nonlocal running, most, served
        for _ in range(5):
            ticket = await limiter.admit(bounds, SMALL)
            assert isinstance(ticket, Ticket)
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(0.001 * (number % 3))
            finally:
                running -= 1
                await limiter.settle(ticket, Cost(1))
            served += 1

    tasks = [asyncio.ensure_future(client(number)) for number in range(64)]
    for number in range(0, 64, 7):
        await asyncio.sleep(0.002)
        tasks[number].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    failed = [one for one in outcomes if isinstance(one, Exception)]
    assert [] == failed
    assert limit == most
    assert served >= 54 * 5
    assert 0 == limiter.statistics().waiting


async def test_shadow_refuses_nothing(clock: FakeClock):
    """In the shadow all pass, and the statistics say what would not have."""
    limiter = make(clock, Options(shadow=True, queue_length=3))
    for _ in range(3):
        await hold(limiter)
    found = limiter.statistics()

    assert (3, {LimitKind.CONCURRENT_REQUESTS: 2}) == (found.admitted, found.refused)


async def test_bad_count_of_an_engine_widens_nothing(clock: FakeClock):
    """A negative count is none: it cannot be used to buy room."""
    limiter = make(clock)
    bounds = [Bound(PILOT, Limits(tokens_per_minute=100, tokens_per_day=100))]
    await limiter.settle(await hold(limiter, bounds), Cost(-1000, -1000))

    assert isinstance(await limiter.admit(bounds, Demand(Cost(101))), Refused)
    assert isinstance(await limiter.admit(bounds, Demand(Cost(100))), Ticket)


async def test_restart_remembers_day_and_month(clock: FakeClock):
    """After a restart the ledger says what was spent: in this month, and of it today."""
    bounds = [Bound(PILOT, Limits(tokens_per_day=100, tokens_per_month=150, money_per_month=90))]
    now = clock.now()
    ledger = Ledger([(now - 2 * 86_400, PILOT, Cost(60, 40)), (now - 60, PILOT, Cost(50, 40))])
    ledger.records.append((now - 60, Scope("project", "pilot"), Cost(999, 999)))
    ledger.records.append((now - 40 * 86_400, PILOT, Cost(999, 999)))
    limiter = make(clock)
    await limiter.reseed(bounds, ledger)

    assert isinstance(await limiter.admit(bounds, Demand(Cost(41, 0))), Refused)
    assert isinstance(await limiter.admit(bounds, Demand(Cost(1, 11))), Refused)
    assert isinstance(await limiter.admit(bounds, Demand(Cost(40, 10))), Ticket)


async def test_seeding_goes_on_after_a_failure(clock: FakeClock, caplog: pytest.LogCaptureFixture):
    """A ledger that cannot be read now is read later; until then our own count holds."""
    bounds = [Bound(PILOT, Limits(tokens_per_day=100))]
    ledger = Ledger([(clock.now(), PILOT, Cost(80))])
    limiter = make(clock)
    answers = iter([OSError("gone")])

    class Failing(Ledger):
        async def find_spent(self, scope: Scope, since: float) -> Cost:
            for error in answers:
                raise error
            return await ledger.find_spent(scope, since)

    seeding = asyncio.ensure_future(limiter.keep_seeded(lambda: bounds, Failing(), 0.01))
    async with asyncio.timeout(5):
        while not isinstance(refused := await limiter.admit(bounds, Demand(Cost(30))), Refused):
            await limiter.settle(refused, None)
            await asyncio.sleep(0.01)
    seeding.cancel()

    assert "cannot be read now" in caplog.text
