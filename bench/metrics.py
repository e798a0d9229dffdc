"""What metrics cost: a request observed, a page written, a span made.

    python -m bench.metrics

All of it is processor time, the median and the slowest hundredth of rounds. A client library's
histogram is measured beside ours, with the labels of one: it would be asked nine times a request.
"""

import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import cast

from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import Histogram

from cupola.gateway.address import resolve
from cupola.gateway.directory import Pool, Served
from cupola.gateway.journey import Journey
from cupola.gateway.metrics import RequestMetrics
from cupola.gateway.spans import RequestSpans
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.clock import SystemClock
from cupola.telemetry.metrics import render
from cupola.wire.canonical import Usage
from tests.gateway.fakes import PROFILE, FixedPool

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
    pieces = _time_pieces(metrics)
    seconds = sum(took for took, _ in pieces)
    size = sum(length for _, length in pieces)
    longest = max(took for took, _ in pieces)
    print(f"the page of {_ENDPOINTS} endpoints: {seconds * 1e3:.0f} ms, {size / 1e6:.1f} MB")
    print(f"its longest piece: {longest * 1e6:.0f} us")


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


def _time_pieces(metrics: RequestMetrics) -> list[tuple[float, int]]:
    found = []
    began = time.thread_time()
    for piece in render([metrics]):
        now = time.thread_time()
        found.append((now - began, len(piece)))
        began = now
    return found


def _tell(what: str, rounds: list[float]) -> None:
    slowest = quantiles(rounds, n=100)[98]
    print(f"{what}: {median(rounds) * 1e6:.2f} us, at worst {slowest * 1e6:.2f} us")


if __name__ == "__main__":
    main()
