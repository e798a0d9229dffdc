"""Every `Counters` keeps these promises."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cupola.kit.clock import FakeClock
from cupola.quotas.law import read_calendar
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import (
    Bound,
    Cost,
    Demand,
    LimitKind,
    Limits,
    Refused,
    Scope,
    Settled,
    Ticket,
)
from cupola.quotas.ports import Counters
from cupola.quotas.redis import Options, RedisCounters
from tests.patience import PATIENCE
from tests.redis_server import RedisServer

ENDPOINT = Scope("endpoint", "pilot")
PROJECT = Scope("project", "default")
KEY = Scope("key", "key_1")
NOON = datetime(2026, 1, 30, 12, tzinfo=UTC).timestamp()
ALL = dict.fromkeys(LimitKind, 10**6)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Counters]:
    if request.param == "memory":
        yield MemoryCounters(clock)
        return
    server: RedisServer = request.getfixturevalue("redis")
    async with RedisCounters(server.url, clock, Options(patience=PATIENCE), time=clock) as found:
        yield found


def bound(scope: Scope = ENDPOINT, /, **limits: int) -> Bound:
    return Bound(scope, Limits(**limits))


def needs(tokens: int = 1, money: int = 0) -> Demand:
    return Demand(Cost(tokens, money))


def admitted(outcome: Ticket | Refused) -> Ticket:
    assert isinstance(outcome, Ticket), outcome
    return outcome


async def admit(counters: Counters, *bounds: Bound, demand: Demand | None = None) -> Ticket:
    return admitted(await counters.reserve(bounds, demand or needs()))


async def refuse(counters: Counters, *bounds: Bound, demand: Demand | None = None) -> Refused:
    outcome = await counters.reserve(bounds, demand or needs())
    assert isinstance(outcome, Refused), outcome
    return outcome


@pytest.mark.parametrize("kind", LimitKind)
async def test_limit_is_whole(counters: Counters, kind: LimitKind):
    """Of ten, ten are admitted at once, and the eleventh is not."""
    limited = bound(**{kind: 10})
    for _ in range(10):
        await admit(counters, limited, demand=needs(1, 1))

    refused = await refuse(counters, limited, demand=needs(1, 1))
    assert (kind, ENDPOINT, 10) == (refused.limit, refused.scope, refused.value)


@pytest.mark.parametrize("kind", LimitKind)
async def test_other_limits_do_not_refuse(counters: Counters, kind: LimitKind):
    """A limit is exceeded by its own measure only."""
    limited = bound(**(ALL | {kind: 0}))

    refused = await refuse(counters, limited, demand=needs(1, 1))

    assert (kind, None) == (refused.limit, refused.retry_after)


async def test_all_scopes_must_have_room(counters: Counters):
    """What one scope refuses is counted in none."""
    wide, narrow = bound(requests_per_minute=2), bound(KEY, requests_per_minute=1)
    await admit(counters, wide, narrow)

    assert KEY == (await refuse(counters, wide, narrow)).scope
    await admit(counters, wide)


@pytest.mark.parametrize("kind", [LimitKind.REQUESTS_PER_MINUTE, LimitKind.TOKENS_PER_MINUTE])
async def test_minute_frees_after_a_minute(counters: Counters, clock: FakeClock, kind: LimitKind):
    """`retry_after` suffices, and is no more than a slot longer than a minute."""
    limited = bound(**{kind: 2})
    for _ in range(2):
        await counters.settle(await admit(counters, limited), Cost(1))
    clock.advance(20)
    refused = await refuse(counters, limited)

    assert refused.retry_after is not None
    assert 40 <= refused.retry_after <= 40.25
    clock.advance(refused.retry_after - 0.26)
    await refuse(counters, limited)
    clock.advance(0.26)
    await admit(counters, limited)


async def test_longest_wait_is_told(counters: Counters, clock: FakeClock):
    """Of two limits without room the one that takes longer is named: waiting for it suffices."""
    first, second = bound(requests_per_minute=1), bound(KEY, requests_per_minute=1)
    await admit(counters, first)
    clock.advance(30)
    await admit(counters, second)

    assert KEY == (await refuse(counters, first, second)).scope
    assert KEY == (await refuse(counters, second, first)).scope


async def test_only_as_much_as_needed_is_waited_for(counters: Counters, clock: FakeClock):
    """A small request waits for the first few tokens to leave, a large one for more."""
    limited = bound(tokens_per_minute=100)
    await admit(counters, limited, demand=needs(30))
    clock.advance(10)
    await admit(counters, limited, demand=needs(70))

    small, large = [await refuse(counters, limited, demand=needs(tokens)) for tokens in (30, 31)]
    assert small.retry_after == pytest.approx(50.25)
    assert large.retry_after == pytest.approx(60.25)


async def test_rest_is_given_back(counters: Counters):
    """What was reserved and not spent is free at once."""
    limited = bound(tokens_per_minute=100, tokens_per_day=100)
    ticket = await admit(counters, limited, demand=needs(100))
    await counters.settle(ticket, Cost(30))

    await refuse(counters, limited, demand=needs(71))
    await admit(counters, limited, demand=needs(70))


async def test_overrun_is_charged(counters: Counters):
    """What was spent beyond the reservation counts too; nothing left is never less than nothing."""
    limited = bound(tokens_per_minute=100, money_per_month=100)
    await counters.settle(await admit(counters, limited, demand=needs(10, 10)), Cost(150, 50))
    refused = await refuse(counters, limited)

    assert refused.standing.tokens is not None
    assert 0 == refused.standing.tokens.remaining
    assert LimitKind.TOKENS_PER_MINUTE == refused.limit


async def test_late_rest_is_given_back_nowhere(counters: Counters, clock: FakeClock):
    """A request longer than a minute has left the window: its rest makes no room twice."""
    limited = bound(tokens_per_minute=100)
    ticket = await admit(counters, limited, demand=needs(100))
    clock.advance(61)
    await admit(counters, limited, demand=needs(100))
    await counters.settle(ticket, Cost(1))

    await refuse(counters, limited)


async def test_settled_once(counters: Counters):
    """A second settlement changes nothing."""
    limited = bound(concurrent_requests=2, tokens_per_day=100)
    ticket = await admit(counters, limited, demand=needs(10))
    await admit(counters, limited, demand=needs(10))
    for _ in range(3):
        await counters.settle(ticket, Cost(50))

    assert 50 == (await counters.read(ENDPOINT)).day_tokens
    await admit(counters, limited, demand=needs(40))
    assert LimitKind.CONCURRENT_REQUESTS == (await refuse(counters, limited)).limit


async def test_running_requests_are_counted(counters: Counters):
    """A place is free as soon as a request has ended, not before."""
    limited = bound(concurrent_requests=1)
    ticket = await admit(counters, limited)

    assert 1 == (await refuse(counters, limited)).retry_after
    await counters.settle(ticket, Cost())
    await admit(counters, limited)


async def test_request_that_never_ran_does_not_count(counters: Counters):
    """Settled with None, not even the request counts."""
    limited = bound(
        requests_per_minute=1, tokens_per_minute=1, concurrent_requests=1, tokens_per_day=1
    )
    await counters.settle(await admit(counters, limited), None)

    await admit(counters, limited)


async def test_guess_alone_never_refuses_for_ever(counters: Counters):
    """A guess above the limit is cut down to it; a prompt above it can never pass."""
    limited = bound(tokens_per_minute=100)
    refused = await refuse(counters, limited, demand=needs(101))
    guessed = await admit(counters, limited, demand=Demand(Cost(60), Cost(1000)))

    assert refused.retry_after is None
    assert 100 == guessed.reserved.tokens


async def test_headers_tell_the_tightest(counters: Counters, clock: FakeClock):
    """An admitted request is told what is left where least is, and when all will be free."""
    wide = bound(requests_per_minute=10, tokens_per_minute=50)
    narrow = bound(KEY, requests_per_minute=5, tokens_per_minute=100)
    await admit(counters, wide, narrow, demand=needs(20))
    clock.advance(10)
    standing = (await admit(counters, wide, narrow, demand=needs(20))).standing

    assert standing.requests is not None
    assert standing.tokens is not None
    assert (5, 3) == (standing.requests.limit, standing.requests.remaining)
    assert (50, 10) == (standing.tokens.limit, standing.tokens.remaining)
    assert 60 <= standing.tokens.reset <= 60.25


async def test_day_ends_at_midnight(counters: Counters, clock: FakeClock):
    """A day is the calendar's in UTC, and so is the wait."""
    limited = bound(tokens_per_day=10)
    await counters.settle(await admit(counters, limited, demand=needs(10)), Cost(10))

    assert (await refuse(counters, limited)).retry_after == pytest.approx(12 * 3600)
    clock.advance(12 * 3600 - 1)
    await refuse(counters, limited)
    clock.advance(1)
    await admit(counters, limited)


@pytest.mark.parametrize("kind", [LimitKind.TOKENS_PER_MONTH, LimitKind.MONEY_PER_MONTH])
@pytest.mark.parametrize(
    ("now", "ends"),
    [((2026, 1, 31), (2026, 2, 1)), ((2028, 2, 29), (2028, 3, 1)), ((2026, 12, 5), (2027, 1, 1))],
    ids=["january", "leap", "december"],
)
async def test_month_ends_with_the_calendar(
    counters: Counters,
    clock: FakeClock,
    kind: LimitKind,
    now: tuple[int, int, int],
    ends: tuple[int, int, int],
):
    """A month is as long as it is."""
    clock.seconds = datetime(*now, tzinfo=UTC).timestamp()
    left = datetime(*ends, tzinfo=UTC).timestamp() - clock.seconds
    limited = bound(**{kind: 5})
    await counters.settle(await admit(counters, limited, demand=needs(5, 5)), Cost(5, 5))

    assert (await refuse(counters, limited, demand=needs(1, 1))).retry_after == pytest.approx(left)
    clock.advance(left)
    await admit(counters, limited, demand=needs(5, 5))


async def test_reservation_outlives_midnight(counters: Counters, clock: FakeClock):
    """What runs over midnight stays reserved, and is spent on the day on which it ends."""
    limited = bound(tokens_per_day=10)
    clock.advance(12 * 3600 - 5)
    ticket = await admit(counters, limited, demand=needs(10))
    clock.advance(10)

    assert 1 == (await refuse(counters, limited)).retry_after
    await counters.settle(ticket, Cost(4))
    await refuse(counters, limited, demand=needs(7))
    await admit(counters, limited, demand=needs(6))


async def test_without_enforcing_all_pass_and_count(counters: Counters):
    """In the shadow nothing is refused, and the ticket says what would have been."""
    limited = bound(requests_per_minute=1)
    first = await counters.reserve([limited], needs(), enforce=False)
    second = await counters.reserve([limited], needs(), enforce=False)

    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    assert first.exceeded is None
    assert second.exceeded is not None
    assert LimitKind.REQUESTS_PER_MINUTE == second.exceeded.limit
    await refuse(counters, limited)


async def test_ledger_corrects_upwards_and_downwards(counters: Counters, clock: FakeClock):
    """What the ledger knows replaces what was counted, in the present day and month."""
    calendar = read_calendar(clock.now())
    limited = bound(tokens_per_day=100, money_per_month=100)
    await counters.settle(await admit(counters, limited, demand=needs(50, 50)), Cost(50, 50))
    before = await counters.read(ENDPOINT)
    known = Settled(calendar.day, calendar.month, 70, 70, 20)
    await counters.correct(ENDPOINT, before, known)

    assert known == await counters.read(ENDPOINT)
    await refuse(counters, limited, demand=needs(31, 0))
    await admit(counters, limited, demand=needs(30, 80))


async def test_what_is_settled_meanwhile_is_not_lost(counters: Counters):
    """While the ledger was asked, our own count may know more; and it is not counted twice."""
    limited = bound(tokens_per_day=1000)
    before = await counters.read(ENDPOINT)
    await counters.settle(await admit(counters, limited, demand=needs(10)), Cost(10))
    for ledger, expected in ((0, 10), (10, 10), (100, 100)):
        known = replace(before, day_tokens=ledger, month_tokens=ledger)
        await counters.correct(ENDPOINT, before, known)

        assert expected == (await counters.read(ENDPOINT)).day_tokens


async def test_correction_of_yesterday_is_dropped(counters: Counters, clock: FakeClock):
    """Midnight passed while the ledger was asked: its answer is not today's."""
    before = await counters.read(ENDPOINT)
    clock.advance(12 * 3600)
    await counters.correct(ENDPOINT, before, replace(before, day_tokens=99, month_tokens=99))
    found = await counters.read(ENDPOINT)

    assert (0, 99) == (found.day_tokens, found.month_tokens)


async def test_correction_keeps_reservations(counters: Counters):
    """What runs is not yet on record, and stays reserved."""
    limited = bound(tokens_per_day=100)
    await admit(counters, limited, demand=needs(40))
    before = await counters.read(ENDPOINT)
    await counters.correct(ENDPOINT, before, replace(before, day_tokens=30))

    await refuse(counters, limited, demand=needs(31))
    await admit(counters, limited, demand=needs(30))


@pytest.mark.parametrize("kind", LimitKind)
async def test_many_at_once_get_the_limit_exactly(counters: Counters, kind: LimitKind):
    """Of 64 at the same moment, as many pass as there is room for: none more, none fewer."""
    limited = [bound(**{kind: 40}), bound(PROJECT, **ALL), bound(KEY, **ALL)]
    outcomes = await asyncio.gather(*(counters.reserve(limited, needs(1, 1)) for _ in range(64)))

    assert 40 == sum(isinstance(outcome, Ticket) for outcome in outcomes)


async def test_cancelled_reservation_reserves_nothing(counters: Counters):
    """Whoever is gone before the answer holds no place, and has made no request."""
    limited = bound(
        concurrent_requests=1, requests_per_minute=1, tokens_per_minute=9, tokens_per_day=9
    )
    for attempt in range(60):
        asking = asyncio.ensure_future(counters.reserve([limited], needs(9)))
        await asyncio.sleep(attempt / 30_000)  # before, while and after a server does it
        if asking.cancel():
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            await counters.settle(admitted(asking.result()), None)
        await until_free(counters, limited)

    await admit(counters, limited, demand=needs(9))


async def until_free(counters: Counters, limited: Bound) -> None:
    """What is undone is undone behind the caller's back, and soon."""
    async with asyncio.timeout(PATIENCE):
        while isinstance(outcome := await counters.reserve([limited], needs(9)), Refused):  # noqa: ASYNC110  nobody is told of it
            await asyncio.sleep(0.001)
    await counters.settle(outcome, None)


async def test_cancelled_settlement_is_made(counters: Counters):
    """A request whose task is cancelled while it settles is settled all the same."""
    limited = bound(concurrent_requests=1, tokens_per_day=1000)
    for attempt in range(30):
        settling = asyncio.ensure_future(counters.settle(await admit(counters, limited), Cost(10)))
        await asyncio.sleep(attempt / 30_000)
        settling.cancel()
        await asyncio.wait([settling])
        await until_free(counters, limited)

    assert 10 * 30 == (await counters.read(ENDPOINT)).day_tokens


async def test_scopes_do_not_mix(counters: Counters):
    """A key and an endpoint of the same name are strangers."""
    await admit(counters, bound(Scope("key", "pilot"), requests_per_minute=1))

    await admit(counters, bound(requests_per_minute=1))
