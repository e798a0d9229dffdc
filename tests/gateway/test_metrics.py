"""What is counted of requests, and who may see it."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cupola.engines.port import Generation
from cupola.gateway.app import Gateway
from cupola.gateway.journey import Journey
from cupola.gateway.metrics import RequestMetrics
from cupola.gateway.metrics_page import MetricsPage
from cupola.ids import EndpointName
from cupola.kit.clock import FakeClock, SystemClock
from cupola.kit.errors import EngineFailed, Forbidden, Unauthenticated
from cupola.telemetry.metrics import render
from cupola.testing import MemoryObserver
from cupola.wire.canonical import Delta, Event, Failed, Finish, Usage
from tests.gateway.fakes import (
    HELLO,
    Caller,
    FixedPool,
    Response,
    Script,
    ScriptedReplica,
    gateway_of,
    saying,
    served,
)

CHAT = "/endpoints/pilot/chat/completions"
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
DIED = Failed(EngineFailed("It died."))
REQUESTS = "cupola_requests_total"
DURATION = "gen_ai_server_request_duration_seconds_count"


class Stand:
    """A gateway with one endpoint whose requests are counted."""

    def __init__(self, script: Script, **limits: Any) -> None:
        self.clock = FakeClock()
        self.there = {EndpointName("pilot")}
        self.metrics = RequestMetrics(lambda: self.there)
        self.observer = MemoryObserver()
        self.pool = FixedPool([ScriptedReplica(script)])
        self.caller = Caller(
            gateway_of(served(self.pool), clock=self.clock, observers=(self.metrics, self.observer))
        )

    async def call(self, *values: Any, **named: Any) -> Response:
        return await self.caller.call(*values, **named)

    def read(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name with these labels."""
        return sum(value for sample, found, value in self.samples() if sample == name
                   and labels.items() <= found.items())  # fmt: skip

    def samples(self) -> list[tuple[str, dict[str, str], float]]:
        text = "".join(render([self.metrics]))
        return [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]


def at_work(stand: list[Stand]) -> Script:
    """Two seconds to the first token, one to each that follows."""

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        clock = stand[0].clock
        clock.advance(2)
        yield Delta("a", 1)
        clock.advance(1)
        yield Delta("b", 1)
        clock.advance(1)
        yield Delta("c", 1)
        yield Finish("length", Usage(7, 3))

    return script


async def test_whole_reply_is_counted():
    """Its duration, its tokens, and where: but no time to a first token that nobody saw."""
    stand = Stand(saying(*HELLO))
    assert 200 == (await stand.call(CHAT, ASKED)).status

    what = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "Cupola-Pilot"}
    place = {"cupola_endpoint": "pilot", "cupola_deployment": "pilot"}
    assert 1 == stand.read(REQUESTS, status="200", error_type="", dialect="azure", **what, **place)
    assert 1 == stand.read(DURATION, error_type="", **what)
    assert 7 == stand.read("gen_ai_client_token_usage_sum", gen_ai_token_type="input", **what)
    assert 2 == stand.read("gen_ai_client_token_usage_sum", gen_ai_token_type="output", **what)
    assert 7 == stand.read("cupola_endpoint_tokens_total", gen_ai_token_type="input", **place)
    assert 2 == stand.read("cupola_endpoint_tokens_total", gen_ai_token_type="output", **place)
    assert 0 == stand.read("gen_ai_server_time_to_first_token_seconds_count")
    assert 0 == stand.read("cupola_endpoint_streams_total")


async def test_streamed_reply_has_its_times():
    """To the first token, for each further one, and the engine's apart from ours."""
    found: list[Stand] = []
    stand = Stand(at_work(found))
    found.append(stand)
    await stand.call(CHAT, STREAMED)

    assert 2.0 == stand.read("gen_ai_server_time_to_first_token_seconds_sum")
    assert 1.0 == stand.read("gen_ai_server_time_per_output_token_seconds_sum")
    assert 4.0 == stand.read("gen_ai_server_request_duration_seconds_sum")
    assert 4.0 == stand.read("cupola_request_engine_seconds_sum")
    assert 0.0 == stand.read("cupola_request_gateway_seconds_sum")
    assert 4.0 == stand.read(
        "cupola_endpoint_seconds_total", part="engine", cupola_endpoint="pilot"
    )
    assert 1 == stand.read("cupola_endpoint_streams_total", cupola_endpoint="pilot")
    assert 2.0 == stand.read("cupola_endpoint_first_token_seconds_total", cupola_endpoint="pilot")
    assert ("length",) == stand.observer.journeys[0].reasons


async def test_waiting_for_a_replica_is_neither_engine_nor_gateway():
    """A replica that has to be started first."""
    stand = Stand(saying(*HELLO))
    stand.pool.comes_back, stand.pool.replicas = [*stand.pool.replicas], []
    wait_ready = stand.pool.wait_ready

    async def wait(timeout: float) -> bool:
        stand.clock.advance(9)
        return await wait_ready(timeout)

    stand.pool.wait_ready = wait  # type: ignore[method-assign]
    await stand.call(CHAT, ASKED)

    assert 9.0 == stand.read("cupola_request_queue_seconds_sum")
    assert 0.0 == stand.read("cupola_request_engine_seconds_sum")
    assert 9.0 == stand.read("gen_ai_server_request_duration_seconds_sum")


async def test_several_answers_are_one_request():
    """Their tokens are added, their prompt is counted once."""
    stand = Stand(saying(*HELLO))
    await stand.call("/endpoints/pilot/v1/chat/completions", {**ASKED, "n": 3})

    assert 1 == stand.read(DURATION)
    assert 7 == stand.read("gen_ai_client_token_usage_sum", gen_ai_token_type="input")
    assert 6 == stand.read("gen_ai_client_token_usage_sum", gen_ai_token_type="output")
    assert 3 == len(stand.observer.journeys[0].reasons)


async def test_refused_request_is_counted_with_its_reason():
    """A body that makes no sense reaches no engine; its duration has its error."""
    stand = Stand(saying(*HELLO))
    await stand.call(CHAT, {"messages": []})

    assert 400 <= int(stand.samples()[0][1]["status"]) < 500
    assert 0 == stand.read("cupola_request_engine_seconds_count")
    assert 0 == stand.read("gen_ai_client_token_usage_count")


async def test_strangers_name_no_endpoint():
    """Whoever has no key learns nothing, and makes no series, however many names they try."""
    stand = Stand(saying(*HELLO))
    for i in range(20):
        await stand.call(f"/endpoints/guess{i}/chat/completions", ASKED, key="x" * 32)
        await stand.call(f"/nothing{i}")

    assert 20 == stand.read(REQUESTS, status="401", error_type="unauthenticated")
    assert 20 == stand.read(REQUESTS, status="404", error_type="not_found", resource="")
    assert 2 == sum(name == REQUESTS for name, _, _ in stand.samples())
    assert not any("guess" in str(labels) for _, labels, _ in stand.samples())


async def test_failing_engine_is_an_error():
    """Before the first token a status, after it a 200 whose error is told all the same."""
    stand = Stand(saying(Delta("a", 1), DIED))
    await stand.call(CHAT, STREAMED)
    assert 1 == stand.read(REQUESTS, status="200", error_type="engine_failed")
    assert 1 == stand.read(DURATION, error_type="engine_failed")
    assert 0 == stand.read("gen_ai_server_time_to_first_token_seconds_count")

    stand = Stand(saying(DIED))
    status = (await stand.call(CHAT, ASKED)).status
    assert 1 == stand.read(REQUESTS, status=str(status), error_type="engine_failed")


async def test_caller_who_hangs_up_is_counted():
    """What had been generated by then is counted too."""

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        yield Delta("a", 1)
        await asyncio.Event().wait()

    stand = Stand(script)
    await stand.call(CHAT, STREAMED, hang_up_after=0.05)

    assert 1 == stand.read(REQUESTS, status="200", error_type="client_gone")
    assert 1 == stand.read("gen_ai_client_token_usage_sum", gen_ai_token_type="output")
    assert 0 == stand.read("gen_ai_client_token_usage_count", gen_ai_token_type="input")


async def test_endpoints_that_are_gone_are_forgotten():
    """At the next reading; and without one, before they become many."""
    stand = Stand(saying(*HELLO))
    await stand.call(CHAT, ASKED)
    stand.there.clear()

    assert [] == stand.samples()
    metrics = RequestMetrics(lambda: ())
    journey = stand.observer.journeys[0]
    for i in range(3000):
        journey.served = served(FixedPool([]), f"e{i}", model=f"m{i}")
        metrics.observe(journey)
    for kept in (metrics._series, metrics._endpoints, metrics._answers):
        assert len(kept) <= 257


async def test_many_endpoints_of_a_model_share_its_histograms():
    """What an endpoint adds to the page is a few lines, however much it was asked."""
    names = [EndpointName(f"e{i}") for i in range(50)]
    metrics = RequestMetrics(lambda: names)
    stand = Stand(saying(*HELLO))
    await stand.call(CHAT, STREAMED)
    journey = stand.observer.journeys[0]
    sizes = []
    for name in names:
        journey.served = served(FixedPool([]), name)
        metrics.observe(journey)
        sizes.append("".join(render([metrics])).count("\n"))

    assert {8} == {after - before for before, after in pairwise(sizes)}
    stand.metrics = metrics
    assert 50 == stand.read(DURATION)


async def test_observer_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture):
    """The reply is whole, the log has the error, and the next observer is told."""

    class Broken:
        def observe(self, journey: Journey) -> None:
            raise ZeroDivisionError

    told = MemoryObserver()
    pilot = served(FixedPool([ScriptedReplica(saying(*HELLO))]))
    caller = Caller(gateway_of(pilot, observers=(Broken(), told)))
    with caplog.at_level(logging.ERROR):
        response = await caller.call(CHAT, ASKED)

    assert 200 == response.status
    assert [7] == [each.usage.prompt for each in told.journeys]
    assert "could not be observed" in caplog.text


async def authorise(token: str, source: str) -> None:
    if token == "good":
        return
    raise Forbidden("Not you.") if token == "mere" else Unauthenticated("Nobody.")


def page_of(metrics: RequestMetrics) -> Caller:
    page: Any = MetricsPage([metrics], authorise, SystemClock())
    gateway: Gateway = page  # called the same way
    return Caller(gateway)


@pytest.mark.parametrize(
    ("token", "status"), [("good", 200), ("mere", 403), ("bad", 401), (None, 401)]
)
async def test_metrics_need_a_right(token: str | None, status: int):
    """Whoever has none learns nothing but that."""
    stand = Stand(saying(*HELLO))
    await stand.call(CHAT, ASKED)
    response = await page_of(stand.metrics).call("/metrics", key=token)

    assert status == response.status
    assert (status == 200) == (b"cupola_requests_total" in response.body)
    assert (status == 401) == ("www-authenticate" in response.headers)


async def test_page_is_what_prometheus_asks_for():
    """The format's own content type; HEAD has no body; nothing else is possible."""
    page = page_of(RequestMetrics(lambda: ()))

    got = await page.call("/metrics", key="good")
    assert "text/plain; version=0.0.4; charset=utf-8" == got.headers["content-type"]
    head = await page.call("/metrics", method="HEAD", key="good")
    assert (200, b"") == (head.status, head.body)
    posted = await page.call("/metrics", {}, method="POST", key="good")
    assert (405, "GET, HEAD") == (posted.status, posted.headers["allow"])


async def test_page_lets_requests_go_on():
    """While the page of many endpoints is written, the loop is never held up for long."""
    names = [EndpointName(f"e{i}") for i in range(2000)]
    metrics = RequestMetrics(lambda: names)
    stand = Stand(saying(*HELLO))
    await stand.call(CHAT, ASKED)
    journey = stand.observer.journeys[0]
    for name in names:
        journey.served = served(FixedPool([]), name)
        metrics.observe(journey)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())  # noqa: TID251  ended two lines below
    response = await page_of(metrics).call("/metrics", key="good")
    counting.cancel()

    families = [*text_string_to_metric_families(response.body.decode())]
    assert 2000 == len(next(each for each in families if each.name == "cupola_requests").samples)
    assert turns > 5
    assert len(response.pieces) > 5


async def test_line_before_a_limit_is_waiting_too():
    """It is over before an engine is asked for, and no part of the gateway's own time."""
    stand = Stand(saying(*HELLO))
    await stand.call(CHAT, ASKED)
    journey = stand.observer.journeys[0]
    journey.began, journey.held, journey.asked, journey.queued = 100.0, 4.0, 104.5, 2.0
    journey.answered, journey.ended = 109.5, 110.0
    metrics = stand.metrics = RequestMetrics(lambda: stand.there)
    metrics.observe(journey)

    assert 6.0 == stand.read("cupola_request_queue_seconds_sum")
    assert 3.0 == stand.read("cupola_request_engine_seconds_sum")
    assert 1.0 == stand.read("cupola_request_gateway_seconds_sum")
