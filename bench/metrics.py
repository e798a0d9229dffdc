"""What metrics cost: a request observed, a page written, a span made.

    python -m bench.metrics

All of it is processor time, the median and the slowest hundredth of rounds. A client library's
histogram is measured beside ours, with the labels of one: it would be asked nine times a request.
The page is read as a scrape reads it, beside a task that asks for the event loop all the time: the
longest that it waited is what a scrape can cost a request.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median, quantiles
from typing import Any, cast

from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import Histogram

from cupola.gateway.address import resolve
from cupola.gateway.directory import Pool, Served
from cupola.gateway.journey import Journey
from cupola.gateway.metrics import RequestMetrics
from cupola.gateway.metrics_page import MetricsPage
from cupola.gateway.spans import RequestSpans
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.clock import SystemClock
from cupola.kit.tasks import cancel, supervise
from cupola.wire.canonical import Usage
from tests.gateway.fakes import PROFILE, Caller, FixedPool

_ENDPOINTS = 1000
_ROUNDS = 50
_ROUND = 1000


def main() -> None:
    """Measure and print."""
    names = {EndpointName(f"endpoint-{i}") for i in range(_ENDPOINTS)}
    metrics = RequestMetrics(lambda: names)
    journeys = [_make(name) for name in names]
    for journey in journeys:
        metrics.observe(journey)
    spans = RequestSpans(TracerProvider().get_tracer("bench"), SystemClock())
    library = Histogram("bench_seconds", "What the library's takes.", ["place", "error"])
    one = journeys[0]
    _tell("what is noted of a request", _measure(lambda: _make(one.served.endpoint)))  # type: ignore[union-attr]
    _tell("a streamed request counted", _measure(lambda: metrics.observe(one)))
    _tell("one value in a library's", _measure(lambda: library.labels("a", "b").observe(0.2)))
    _tell("two spans made, not sent", _measure(lambda: spans.observe(one)))
    asyncio.run(_scrape(metrics))


async def _scrape(metrics: RequestMetrics) -> None:
    """Print what the page takes, and how long it ever keeps the event loop."""
    caller = Caller(cast(Any, MetricsPage([metrics], _authorise, SystemClock())))
    waits: list[float] = []

    async def wait() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            waits.append(time.thread_time() - began)

    waiting = supervise(wait(), name="waiting")
    began = time.thread_time()
    response = await caller.call("/metrics", key="any")
    seconds = time.thread_time() - began
    with suppress(asyncio.CancelledError):
        await cancel(waiting)
    size = len(response.body)
    print(f"the page of {_ENDPOINTS} endpoints: {seconds * 1e3:.0f} ms, {size / 1e6:.2f} MB")
    print(f"its longest hold of the event loop: {max(waits) * 1e3:.2f} ms")


async def _authorise(token: str, source: str) -> None:
    """Whoever asks may."""


def _make(name: EndpointName) -> Journey:
    journey = Journey("0" * 32, resolve(f"/endpoints/{name}/chat/completions"), {})
    journey.served = Served(
        name, DeploymentName(name), ModelName("Cupola-Pilot"), "Cupola", "chat-completions", 0,
        PROFILE, 0.7, cast(Pool, FixedPool([])),
    )  # fmt: skip
    journey.began, journey.asked, journey.first = 1.0, 1.0002, 1.05
    journey.answered, journey.ended, journey.status = 1.25, 1.2503, 200
    journey.usage, journey.counted, journey.stream = Usage(20, 40), True, True
    journey.reasons = ("stop",)
    return journey


def _measure(work: Callable[[], object]) -> list[float]:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_ROUND):
            work()
        rounds.append((time.perf_counter() - began) / _ROUND)
    return rounds


def _tell(what: str, rounds: list[float]) -> None:
    slowest = quantiles(rounds, n=100)[98]
    print(f"{what}: {median(rounds) * 1e6:.2f} us, at worst {slowest * 1e6:.2f} us")


if __name__ == "__main__":
    main()
