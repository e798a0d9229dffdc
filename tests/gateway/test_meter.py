"""Admission and accounts of requests, with the product's own limiter and ledger in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cupola.engines.port import Generation
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Caller as Grant
from cupola.gateway.directory import Directory, ServedEndpoint, Snapshot, Terms, serve_alone
from cupola.gateway.meter import Metered, Order
from cupola.kit.errors import EngineFailed, TooLong
from cupola.kit.tasks import cancel, supervise
from cupola.metering.budget import Budget, Period, Scope
from cupola.metering.memory import MemoryBudgets, MemoryNotices, MemoryPrices, MemoryRecords
from cupola.metering.model import Ended, Price, PriceKind, UsageRecord
from cupola.metering.service import Prices
from cupola.metering.watch import BudgetWatch
from cupola.metering.writer import Ledger
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import Bound, Limits
from cupola.quotas.model import Scope as LimitScope
from cupola.quotas.service import Limiter
from cupola.wire.canonical import Delta, Event, Failed, Finish, Usage
from tests.gateway.fakes import (
    HELLO,
    KEY,
    Caller,
    FixedPool,
    Script,
    ScriptedReplica,
    digest,
    saying,
    served,
)
from tests.patience import until
from tests.timelapse import LoopClock

pytestmark = pytest.mark.usefixtures("leaping")

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
PATH = "/endpoints/pilot/chat/completions"
STREAM = {**CHAT, "stream": True}
REPORT = {"x-cupola-report": "1"}


@dataclass
class Installation:
    """A gateway with everything on, and what it keeps."""

    caller: Caller
    records: MemoryRecords
    ledger: Ledger
    limiter: Limiter
    watch: BudgetWatch
    budgets: MemoryBudgets
    meter: Metered
    pilot: ServedEndpoint

    async def read(self) -> list[UsageRecord]:
        page = await self.records.page((0.0, 0), 1e12, {}, 1000)
        return [record for _, record in page]

    async def wait_for_one(self) -> UsageRecord:
        await until(self.read)
        [found] = await self.read()
        return found


@asynccontextmanager
async def installed(
    script: Script, folder: Path, limits: Limits | None = None, *, largest_spool: int = 2**20
) -> AsyncIterator[Installation]:
    clock = LoopClock(asyncio.get_running_loop())
    records, budgets, prices = MemoryRecords(), MemoryBudgets(), MemoryPrices()
    await prices.add(Price(PriceKind.MODEL, "Cupola-Pilot", "EUR", 0, 1_000_000, 5_000_000))
    book = Prices(prices, clock)
    await book.refresh()
    watch = BudgetWatch(budgets, MemoryNotices(), records, clock)
    ledger = Ledger(records, folder, clock, largest_spool=largest_spool, on_durable=watch.add)
    await ledger.start()
    limiter = Limiter(MemoryCounters(clock), clock)
    pilot = serve_alone(served(FixedPool([ScriptedReplica(script)])))
    bounds = () if limits is None else (Bound(LimitScope("endpoint", "pilot"), limits),)
    pilot.terms = Terms("default", "serverless", bounds)
    snapshot = Snapshot(
        {pilot.name: pilot}, {digest(KEY): Grant((frozenset({pilot.name}),), key="primary")}
    )
    meter = Metered(ledger, limiter, watch, book, clock)
    gateway = Gateway(Directory(snapshot), digest, clock, meter=meter)
    try:
        yield Installation(Caller(gateway), records, ledger, limiter, watch, budgets, meter, pilot)
    finally:
        await ledger.close()


async def slowly(request: Generation) -> AsyncGenerator[Event, None]:
    """The engine keeps its account, and says no more than three words."""
    begin(request)
    for _ in range(3):
        request.tally.completion += 2
        yield Delta("word ", 2)
    await asyncio.sleep(30)
    yield Finish("stop", Usage(7, 6))


async def silently(request: Generation) -> AsyncGenerator[Event, None]:
    """At work, but nobody has heard of it before the caller hangs up: as for a whole reply."""
    begin(request)
    try:
        await asyncio.sleep(30)
    finally:
        request.tally.completion = 5
    yield Finish("stop", Usage(7, 9))


async def waits_in_line(request: Generation) -> AsyncGenerator[Event, None]:
    """The engine is busy with others, and never comes to this one."""
    await asyncio.sleep(30)
    yield Finish("stop", Usage(7, 9))


async def breaks(request: Generation) -> AsyncGenerator[Event, None]:
    begin(request)
    request.tally.completion = 4
    yield Failed(EngineFailed("It died."))


def begin(request: Generation) -> None:
    """The engine's turn with this request."""
    tally = request.tally
    tally.taken, tally.prompt, tally.cached, tally.waited = True, 7, 3, 0.25


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "stream"])
async def test_a_reply_is_on_record_with_its_cost(tmp_path: Path, body: dict[str, Any]):
    async with installed(saying(*HELLO), tmp_path) as here:
        response = await here.caller.call(PATH, body)
        [record] = await here.read()  # at once: it was durable before the reply ended

    assert response.status == 200
    assert record.request == response.headers["x-request-id"]
    assert (record.prompt, record.completion, record.counted) == (7, 2, True)
    assert (record.finish, record.status, record.key) == ("stop", 200, "primary")
    assert (record.project, record.kind, record.dialect) == ("default", "serverless", "azure")
    assert (record.currency, record.cost) == ("EUR", 17_000)


async def test_an_answer_says_what_it_cost_if_asked(tmp_path: Path):
    async with installed(saying(*HELLO), tmp_path) as here:
        unasked = await here.caller.call(PATH, CHAT)
        asked = await here.caller.call(PATH, CHAT, headers=REPORT)
        stream = await here.caller.call(PATH, STREAM, headers=REPORT)

    assert "x-cupola-cost" not in unasked.headers
    assert asked.headers["x-cupola-cost"] == "0.000017 EUR"
    assert asked.headers["x-cupola-completion-tokens"] == "2"
    lines = stream.body.split(b"\n")
    assert b": x-cupola-cost: 0.000017 EUR" in lines
    assert lines.index(b": x-cupola-cost: 0.000017 EUR") < lines.index(b"data: [DONE]")


async def test_who_hangs_up_is_on_record_once(tmp_path: Path):
    async with installed(slowly, tmp_path, Limits(concurrent_requests=1)) as here:
        await here.caller.call(PATH, STREAM, hang_up_after=0.05)
        record = await here.wait_for_one()
        again = await here.caller.call(PATH, STREAM, hang_up_after=0.05)

    assert (record.finish, record.status, record.completion) == ("client_gone", 200, 6)
    assert (record.counted, record.prompt, record.cached) == (False, 7, 3)
    assert (record.currency, record.cost) == ("EUR", 37_000)
    assert again.status == 200  # its place among those at once was given back


async def test_who_hangs_up_on_a_whole_reply_is_billed_for_the_work(tmp_path: Path):
    """Nothing of it had been sent: what counts is what the engine had done."""
    async with installed(silently, tmp_path) as here:
        await here.caller.call(PATH, CHAT, hang_up_after=0.3)
        record = await here.wait_for_one()

    assert (record.finish, record.status, record.counted) == ("client_gone", 0, False)
    assert (record.prompt, record.completion) == (7, 5)


async def test_a_prompt_that_no_engine_began_with_costs_nothing(tmp_path: Path):
    async with installed(waits_in_line, tmp_path) as here:
        await here.caller.call(PATH, CHAT, hang_up_after=0.3)
        record = await here.wait_for_one()

    assert (record.finish, record.prompt, record.completion) == ("client_gone", 0, 0)
    assert record.queue is None


async def test_a_prompt_that_is_never_counted_is_billed_as_estimated(tmp_path: Path):
    """As with an upstream, which has begun with it, and would count it at the end only."""
    lengths: list[int] = []

    async def far_away(request: Generation) -> AsyncGenerator[Event, None]:
        lengths.append(sum(len(piece) for piece in request.prompt if isinstance(piece, str)))
        request.tally.taken = True
        yield Delta("word ", 2)
        await asyncio.sleep(30)

    async with installed(far_away, tmp_path) as here:
        await here.caller.call(PATH, STREAM, hang_up_after=0.3)
        record = await here.wait_for_one()

    assert (record.counted, record.completion) == (False, 2)
    assert [record.prompt] == [-(-length // 3) for length in lengths]


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "stream"])
async def test_who_gets_an_error_instead_of_a_reply_pays_nothing(
    tmp_path: Path, body: dict[str, Any]
):
    async with installed(breaks, tmp_path) as here:
        response = await here.caller.call(PATH, body)
        [record] = await here.read()

    assert (response.status, record.status, record.finish) == (502, 502, "error")
    assert (record.prompt, record.completion, record.cost) == (0, 0, 0)


async def test_a_record_says_who_answered_and_how_long_it_had_waited(tmp_path: Path):
    async def says(request: Generation) -> AsyncGenerator[Event, None]:
        begin(request)
        yield Finish("stop", Usage(7, 2, 3))

    async with installed(says, tmp_path) as here:
        await here.caller.call(PATH, CHAT)
        [record] = await here.read()

    assert record.replica == "rep_scripted"
    assert record.queue is not None
    assert record.queue >= 0.25
    assert (record.prompt, record.cached, record.completion) == (7, 3, 2)


async def test_several_answers_share_a_prompt_in_the_account_of_a_cut(tmp_path: Path):
    """The prompt counts once; what the second answer found of it was read for the first."""
    numbers = iter((0, 6))

    async def says(request: Generation) -> AsyncGenerator[Event, None]:
        begin(request)
        request.tally.cached = next(numbers)
        request.tally.completion = 2
        yield Delta("word ", 2)
        await asyncio.sleep(30)

    async with installed(says, tmp_path) as here:
        path = "/endpoints/pilot/v1/chat/completions"
        await here.caller.call(path, {**CHAT, "n": 2}, hang_up_after=0.3)
        record = await here.wait_for_one()

    assert (record.prompt, record.cached, record.completion) == (7, 0, 4)
    assert record.replica == "rep_scripted"


@pytest.mark.parametrize(
    ("events", "status", "completion"),
    [
        ((Failed(EngineFailed("It died.")),), 502, 0),
        ((Delta("a", 1), Failed(EngineFailed("It died."))), 200, 1),
        ((Delta("a", 1),), 200, 1),
    ],
    ids=["at once", "mid-stream", "without a word"],
)
async def test_what_an_engine_breaks_is_on_record(
    tmp_path: Path, events: tuple[Event, ...], status: int, completion: int
):
    async with installed(saying(*events), tmp_path) as here:
        response = await here.caller.call(PATH, STREAM)
        [record] = await here.read()

    assert (response.status, record.status) == (status, status)
    assert (record.finish, record.completion) == ("error", completion)


async def test_a_request_that_is_cancelled_is_on_record(tmp_path: Path):
    """As when the server stops: nobody waits for the record, and it is there all the same."""
    async with installed(slowly, tmp_path) as here:

        async def call() -> None:
            await here.caller.call(PATH, STREAM)

        task = supervise(call(), name="a request")
        await asyncio.sleep(0.05)
        await cancel(task)
        record = await here.wait_for_one()

    assert (record.finish, record.completion) == ("interrupted", 6)


async def test_a_limit_refuses_and_leaves_no_record(tmp_path: Path):
    limits = Limits(requests_per_minute=1, tokens_per_minute=100_000)
    async with installed(saying(*HELLO), tmp_path, limits) as here:
        first = await here.caller.call(PATH, CHAT)
        second = await here.caller.call(PATH, CHAT)
        records = await here.read()

    assert (first.status, second.status, len(records)) == (200, 429, 1)
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert second.json["error"]["code"] == "429"
    assert "1 requests per minute" in second.json["error"]["message"]
    assert 59 <= int(second.headers["retry-after"]) <= 61
    assert int(second.headers["retry-after-ms"]) > 59_000
    assert int(second.headers["x-ratelimit-remaining-tokens"]) >= 0


async def test_what_was_reserved_is_given_back(tmp_path: Path):
    """256 tokens are expected of the first completion, 2 came: the next one fits again."""
    async with installed(saying(*HELLO), tmp_path, Limits(tokens_per_minute=400)) as here:
        statuses = [(await here.caller.call(PATH, CHAT)).status for _ in range(10)]
        left = (await here.caller.call(PATH, CHAT)).headers["x-ratelimit-remaining-tokens"]

    assert statuses == [200] * 10
    assert 250 < int(left) <= 400 - 10 * 9


async def test_there_is_room_for_the_next_before_a_reply_ends(tmp_path: Path):
    """Whoever has read the last byte, and asks again at once, perhaps elsewhere, is not refused:
    what was reserved is given back by `settle`, which is before that byte, and only once."""
    limits = Limits(concurrent_requests=1)
    async with installed(saying(*HELLO), tmp_path, limits) as here:
        grant = Grant((frozenset({here.pilot.name}),), key="primary")
        [deployed] = here.pilot.deployments.values()
        orders = [Order(f"r{i}", "azure", grant, here.pilot, deployed, 5, 5) for i in (1, 2)]
        first = await here.meter.admit(orders[0])
        await first.settle(Ended(5, 2, "stop", 200))
        second = await here.meter.admit(orders[1])
        await first.release(Ended(5, 2, "stop", 200))
        refused = await here.caller.call(PATH, CHAT)
        await second.release(Ended(5, 2, "stop", 200))

    assert 429 == refused.status


async def test_a_prompt_larger_than_a_limit_is_told_no_time(tmp_path: Path):
    async with installed(saying(*HELLO), tmp_path, Limits(tokens_per_minute=10)) as here:
        long = {"messages": [{"role": "user", "content": "word " * 100}]}
        response = await here.caller.call(PATH, long)

    assert response.status == 429
    assert "retry-after" not in response.headers


async def test_a_guess_does_not_make_a_prompt_too_large(tmp_path: Path):
    """100 words are 167 tokens by the estimate, and may well be 100."""
    async with installed(saying(*HELLO), tmp_path, Limits(tokens_per_minute=120)) as here:
        words = {"messages": [{"role": "user", "content": "word " * 100}]}
        response = await here.caller.call(PATH, words)

    assert response.status == 200


async def test_a_prompt_beyond_the_context_is_the_engines_to_refuse(tmp_path: Path):
    """With its own words and status, whatever the estimate would say of the limit."""
    failed = saying(Failed(TooLong("It is too long.", path=("messages",))))
    async with installed(failed, tmp_path, Limits(tokens_per_minute=200_000)) as here:
        words = {"messages": [{"role": "user", "content": "word " * 200_000}]}
        response = await here.caller.call(PATH, words)
        [record] = await here.read()

    assert (response.status, record.status, record.finish) == (400, 400, "error")


async def test_a_spent_budget_refuses_for_good(tmp_path: Path):
    budget = Budget(
        "bud_1", "default", Scope.PROJECT, "default", "tokens", 5, Period.TOTAL, refuse=True
    )
    async with installed(saying(*HELLO), tmp_path) as here:
        await here.budgets.add(budget)
        await here.watch.refresh()
        first = await here.caller.call(PATH, CHAT)
        second = await here.caller.call(PATH, CHAT)

    assert (first.status, second.status) == (200, 403)
    assert "The budget of the project 'default', 5 tokens, is spent" in second.body.decode()
    assert "retry-after" not in second.headers


async def test_a_full_ledger_admits_nothing(tmp_path: Path):
    """And the place that the limiter had given is free again."""
    one = Limits(concurrent_requests=1)
    async with installed(saying(*HELLO), tmp_path, one, largest_spool=0) as here:
        statuses = [(await here.caller.call(PATH, CHAT)).status for _ in range(2)]

    assert statuses == [503, 503]
