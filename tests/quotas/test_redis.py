"""Limits that several gateways keep in one Redis, which may go away."""

import asyncio
import json
import logging
import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from cupola.kit.clock import FakeClock, SystemClock
from cupola.kit.errors import Unavailable
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import Bound, Cost, Demand, LimitKind, Limits, Refused, Scope, Ticket
from cupola.quotas.redis import BadRedisAddress, Options, RedisCounters
from tests.patience import PATIENCE
from tests.redis_server import RedisServer

ENDPOINT = Scope("endpoint", "pilot")
ONE = [Bound(ENDPOINT, Limits(concurrent_requests=1, tokens_per_day=100))]
SMALL = Demand(Cost(10, 10))
PATIENT = Options(patience=PATIENCE)
"""A Redis that is only slow is not away."""


async def start_gateway(
    url: str, clients: int, seconds: float, lease: float, **limits: int
) -> asyncio.subprocess.Process:
    """A process of its own: `tests.quotas.gateway`."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.quotas.gateway"),
        *(url, str(clients), str(seconds), json.dumps(limits), str(lease)),
        stdout=asyncio.subprocess.PIPE,
    )


async def gateway(url: str, clients: int, seconds: float, **limits: int) -> Any:
    """What such a process prints."""
    process = await start_gateway(url, clients, seconds, 60, **limits)
    output, _ = await process.communicate()
    assert 0 == process.returncode
    return json.loads(output)


def most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    steps = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


@pytest.mark.parametrize(
    ("kind", "value", "admitted"),
    [
        (LimitKind.REQUESTS_PER_MINUTE, 120, 120),
        (LimitKind.TOKENS_PER_MINUTE, 1200, 120),
        (LimitKind.TOKENS_PER_DAY, 1200, 120),
        (LimitKind.TOKENS_PER_MONTH, 1200, 120),
        (LimitKind.MONEY_PER_MONTH, 1200, 120),
    ],
)
async def test_two_gateways_admit_the_limit(
    redis: RedisServer, kind: LimitKind, value: int, admitted: int
):
    """64 clients of two processes get exactly what the limit allows: no more, and no less."""
    both = await asyncio.gather(*(gateway(redis.url, 32, 1.5, **{kind: value}) for _ in range(2)))

    assert [0, 0] == [one["uncounted"] for one in both]
    assert admitted == sum(len(one["spans"]) for one in both)
    assert all(one["refused"] for one in both)


async def test_two_gateways_run_no_more_at_once(redis: RedisServer):
    """Of 64 clients of two processes no more than eight are served at once, and at times eight."""
    both = await asyncio.gather(*(gateway(redis.url, 32, 2, concurrent_requests=8) for _ in "ab"))
    spans = [tuple(span) for one in both for span in one["spans"]]

    assert 8 == most_at_once(spans)


async def test_both_laws_are_one(redis: RedisServer):
    """Whatever happens, Redis decides as the memory does, down to the headers."""
    clock, rng = FakeClock(1_699_920_000.0 + 20 * 3600), random.Random(5)
    memory = MemoryCounters(clock)
    limits = Limits(4, 300, 5, 900, 7_500, 3_000)
    bounds = [Bound(ENDPOINT, limits), Bound(Scope("key", "k"), Limits(tokens_per_minute=200))]
    tickets: list[tuple[Ticket, Ticket]] = []
    refusals: Counter[LimitKind] = Counter()
    async with RedisCounters(
        redis.url, clock, Options(patience=PATIENCE, lease=10**6), time=clock
    ) as shared:
        for _ in range(2000):
            if rng.random() < 0.6:
                clock.advance(rng.choice([0.25, 1, 7, 20, 61, 40_000]) * rng.random())
            if tickets and rng.random() < 0.5:
                pair = tickets.pop(rng.randrange(len(tickets)))
                spent = rng.choice([None, Cost(rng.randrange(120), rng.randrange(50))])
                await memory.settle(pair[0], spent)
                await shared.settle(pair[1], spent)
            demand = Demand(Cost(rng.randrange(30), 5), Cost(rng.randrange(60), 5))
            asked = rng.choice([bounds, bounds[:1], bounds[::-1]])
            one = await memory.reserve(asked, demand)
            other = await shared.reserve(asked, demand)
            same(one, other)
            if isinstance(one, Ticket) and isinstance(other, Ticket):
                tickets.append((one, other))
            if isinstance(one, Refused):
                refusals[one.limit] += 1
            assert await memory.read(ENDPOINT) == await shared.read(ENDPOINT)

    assert sum(refusals.values()) < 1600
    assert all(refusals[kind] > 20 for kind in LimitKind)


def same(one: Ticket | Refused, other: Ticket | Refused) -> None:
    assert type(one) is type(other)
    for ours, theirs in zip(one.standing, other.standing, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert (ours.limit, ours.remaining) == (theirs.limit, theirs.remaining)
            assert ours.reset == pytest.approx(theirs.reset, abs=0.002)
    if isinstance(one, Refused) and isinstance(other, Refused):
        assert (one.limit, one.scope, one.value) == (other.limit, other.scope, other.value)
        if one.retry_after is None or other.retry_after is None:
            assert one.retry_after is other.retry_after
        else:
            assert one.retry_after == pytest.approx(other.retry_after, abs=0.002)
    if isinstance(one, Ticket) and isinstance(other, Ticket):
        assert one.reserved == other.reserved


async def test_servers_time_is_used(redis: RedisServer):
    """A gateway whose clock is wrong by years counts with the others."""
    wrong = RedisCounters(redis.url, FakeClock(5.0), PATIENT)
    async with wrong, RedisCounters(redis.url, SystemClock(), PATIENT) as right:
        bounds = [Bound(ENDPOINT, Limits(requests_per_minute=1, tokens_per_day=10))]
        assert isinstance(await wrong.reserve(bounds, SMALL), Ticket)
        refused = await right.reserve(bounds, SMALL)

    assert isinstance(refused, Refused)
    assert refused.retry_after is not None


async def test_dead_gateway_frees_its_places(redis: RedisServer):
    """What a dead gateway held is free when its tickets are over; a living one's is not."""
    clock = FakeClock()
    options = Options(patience=PATIENCE, lease=60)
    async with RedisCounters(redis.url, clock, options, time=clock) as living:
        dead = RedisCounters(redis.url, clock, options, time=clock)
        assert isinstance(await dead.reserve(ONE, Demand(Cost(80))), Ticket)
        clock.advance(59)
        assert isinstance(await living.reserve(ONE, SMALL), Refused)
        clock.advance(2)
        assert isinstance(await living.reserve(ONE, Demand(Cost(80))), Ticket)
        clock.advance(50)
        await living.renew()
        clock.advance(50)
        assert isinstance(await living.reserve(ONE, SMALL), Refused)
        await dead.__aexit__()


async def test_killed_gateway_frees_its_places(redis: RedisServer):
    """The places of a gateway that was killed in the midst of its work are all free again soon."""
    process = await start_gateway(redis.url, 32, 60, 1, concurrent_requests=4)
    bounds = [Bound(ENDPOINT, Limits(concurrent_requests=4))]
    async with RedisCounters(redis.url, SystemClock(), PATIENT) as counters:
        async with asyncio.timeout(PATIENCE):
            while isinstance(outcome := await counters.reserve(bounds, SMALL), Ticket):
                await counters.settle(outcome, None)
                await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        await asyncio.sleep(1.1)
        outcomes = [await counters.reserve(bounds, SMALL) for _ in range(5)]

    assert [True] * 4 + [False] == [isinstance(outcome, Ticket) for outcome in outcomes]


async def test_late_settlement_is_charged(redis: RedisServer):
    """A request that outlived its lease still pays, and frees nothing that is another's."""
    clock = FakeClock()
    async with RedisCounters(redis.url, clock, PATIENT, time=clock) as counters:
        late = await counters.reserve(ONE, Demand(Cost(80)))
        clock.advance(61)
        other = await counters.reserve(ONE, Demand(Cost(30)))
        assert isinstance(late, Ticket)
        assert isinstance(other, Ticket)
        await counters.settle(late, Cost(50))

        assert 50 == (await counters.read(ENDPOINT)).day_tokens
        assert isinstance(await counters.reserve(ONE, SMALL), Refused)
        await counters.settle(other, Cost(30))
        assert isinstance(await counters.reserve(ONE, Demand(Cost(20))), Ticket)


async def test_ended_ticket_is_not_renewed(redis: RedisServer):
    """A ticket whose lease ran out stays ended, though its gateway says it is alive."""
    clock = FakeClock()
    async with RedisCounters(redis.url, clock, PATIENT, time=clock) as counters:
        await counters.reserve(ONE, SMALL)
        clock.advance(61)
        other = await counters.reserve(ONE, SMALL)
        assert isinstance(other, Ticket)
        await counters.renew()
        await counters.settle(other, Cost(1))

        assert isinstance(await counters.reserve(ONE, SMALL), Ticket)


async def test_away_and_open(redis_alone: RedisServer, caplog: pytest.LogCaptureFixture):
    """Without Redis requests pass uncounted; the log says so once, and when it is back."""
    caplog.set_level(logging.INFO, "cupola")
    clock = FakeClock()
    async with RedisCounters(redis_alone.url, clock, PATIENT) as counters:
        before = await counters.reserve(ONE, SMALL)
        redis_alone.stop()
        passed = [await counters.reserve(ONE, SMALL) for _ in range(5)]
        assert isinstance(before, Ticket)
        await counters.settle(before, Cost(10))
        clock.advance(2)
        passed.append(await counters.reserve(ONE, SMALL))
        assert [False] * 6 == [isinstance(one, Ticket) and one.counted for one in passed]
        assert (1, 7, True) == astuple(counters)
        redis_alone.start()
        clock.advance(2)
        again = await counters.reserve(ONE, SMALL)
        assert isinstance(again, Ticket)
        assert again.counted
        assert isinstance(await counters.reserve(ONE, SMALL), Refused)
        for ticket in passed:
            assert isinstance(ticket, Ticket)
            await counters.settle(ticket, Cost(10))  # was not counted, so frees no place
        assert isinstance(await counters.reserve(ONE, SMALL), Refused)

    told = [record.getMessage() for record in caplog.records]
    assert 2 == len(told)
    assert "requests pass without limits" in told[0]
    assert "Redis answers again" in told[1]


def astuple(counters: RedisCounters) -> tuple[int, int, bool]:
    found = counters.statistics()
    return found.outages, found.failures, found.is_away


async def test_away_and_closed(redis_alone: RedisServer):
    """Where limits fail closed, requests are refused as unavailable, with when to try again."""
    options = Options(fail_open=False)
    async with RedisCounters(redis_alone.url, SystemClock(), options) as counters:
        redis_alone.stop()
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await counters.reserve(ONE, SMALL)
            assert 1 == caught.value.retry_after
            assert "Limits cannot be checked at the moment. Try again soon." == caught.value.public


async def test_hanging_redis_is_away(redis_alone: RedisServer):
    """A Redis that does not answer delays one request by its patience, and now and then another:
    of twenty at once the first, and so it has its answer last."""
    clock = FakeClock()
    answered: list[int] = []

    async def ask(number: int) -> Ticket | Refused:
        outcome = await counters.reserve(ONE, SMALL)
        answered.append(number)
        return outcome

    async with RedisCounters(redis_alone.url, clock, Options(patience=0.3)) as counters:
        with redis_alone.paused():
            outcomes = [await ask(0)]
            clock.advance(2)
            outcomes += await asyncio.gather(*(ask(number) for number in range(1, 21)))

    assert [0, *range(2, 21), 1] == answered
    assert not any(isinstance(one, Ticket) and one.counted for one in outcomes)


def test_bad_address_says_what_is_right():
    """The person who set it learns the form."""
    with pytest.raises(BadRedisAddress, match="must be redis://HOST:PORT"):
        RedisCounters("localhost:6379", SystemClock())
