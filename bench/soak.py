"""A million requests through the echo engine: resident memory grows by less than 5 %.

    python -m bench.soak [--requests 1000000]

The gateway is the product's own with everything on (keys of endpoints and projects, limits, the
ledger with full sync, prices, budgets, metrics), over real sockets; the engine is the echo engine,
in its process, because `cupola up` runs models only. It has a core, the load another. Whole and
streamed requests, to many endpoints by many keys, are sent in turn, and some that are refused;
metrics are scraped all the while.

Memory is looked at once the warm-up is over, in which caches fill (SQLite's alone has 32 MiB), and
from then on; the exit status is 1 if the last look shows 5 % more than the first, or if the slope
of all together (least squares) comes to as much.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import linear_regression
from typing import Final

import uvloop

from bench.gateway import OneReplica, metering
from bench.load import Target, measure, post
from cupola.app.greeting import tune_collector
from cupola.engines.echo import EchoReplica
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Caller, Directory, Served, Snapshot, Terms, serve_alone
from cupola.gateway.metrics import RequestMetrics
from cupola.gateway.metrics_page import MetricsPage
from cupola.http.asgi import Receive, Scope, Send
from cupola.http.server import Server, listen
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.keys.model import digest
from cupola.kit.clock import SystemClock
from cupola.quotas.model import Bound, Limits
from cupola.quotas.model import Scope as LimitScope

_SECRET: Final = b"soak" * 8
_ENDPOINTS: Final = 50
_PROJECTS: Final = 10
_WIDE: Final = Limits(requests_per_minute=10**9, tokens_per_minute=10**12, tokens_per_day=10**15)
_CLIENTS: Final = 32
_ROUND: Final = 5.0
"""Seconds of one target's turn."""
_WARM_UP: Final = 200_000
_MOST: Final = 0.05
_BODY: Final = (
    b'{"messages":[{"role":"user","content":"Say these few words back to me, please."}]%s}'
)


async def serve(folder: Path) -> None:
    """Answer until killed."""
    replica, clock = EchoReplica(), SystemClock()
    await replica.start()
    async with AsyncExitStack() as stack:
        socket = stack.enter_context(listen("127.0.0.1", 0))
        directory = _make_directory(replica)
        meter = await stack.enter_async_context(metering(folder))
        metrics = RequestMetrics(lambda: directory.snapshot.endpoints)
        gateway = Gateway(
            directory, lambda key: digest(_SECRET, key), clock, meter=meter, observers=(metrics,)
        )
        page = MetricsPage([metrics], _authorise, clock)

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            await (page if scope.get("path") == "/metrics" else gateway)(scope, receive, send)

        socket.listen()
        print(socket.getsockname()[1], flush=True)
        tune_collector()
        await Server(front, socket).run()


async def _authorise(token: str, source: str) -> None:
    """Whoever asks may."""


def _make_directory(replica: EchoReplica) -> Directory:
    names = [EndpointName(f"endpoint-{i}") for i in range(_ENDPOINTS)]
    served = Served(
        endpoint=names[0],
        deployment=DeploymentName("blue"),
        model=ModelName("Echo"),
        provider="Cupola",
        model_type="chat-completions",
        created=0,
        profile=replica.profile,
        default_temperature=0.7,
        pool=OneReplica(replica),
    )
    serving = {name: serve_alone(replace(served, endpoint=name)) for name in names}
    for i, (name, each) in enumerate(serving.items()):
        scopes = (LimitScope("endpoint", name), LimitScope("project", f"project-{i % _PROJECTS}"))
        bounds = tuple(Bound(scope, _WIDE) for scope in scopes)
        each.terms = Terms(f"project-{i % _PROJECTS}", "serverless", bounds)
    callers = {digest(_SECRET, f"{name}-key"): Caller((frozenset({name}),)) for name in names}
    for i in range(_PROJECTS):
        reached = frozenset(names[i::_PROJECTS])
        callers[digest(_SECRET, f"project-{i}-key")] = Caller((reached,))
    return Directory(Snapshot(serving, callers))


def list_targets(port: int) -> Sequence[Target]:
    """Who is asked by whom, and how."""
    asked = [
        *((f"endpoint-{i}", f"endpoint-{i}-key", i % 2 == 0) for i in range(0, _ENDPOINTS, 5)),
        *((f"endpoint-{i}", f"project-{i % _PROJECTS}-key", i % 2 == 1) for i in range(10)),
        ("endpoint-0", "nobody's", False),
    ]
    return [
        Target(
            ("127.0.0.1", port),
            post(
                f"/endpoints/{name}/chat/completions",
                _BODY % (b',"stream":true' if stream else b""),
                f"Authorization: Bearer {key}",
            ),
        )
        for name, key, stream in asked
    ]


async def soak(pid: int, port: int, requests: int) -> float:
    """The share by which memory grew."""
    targets = list_targets(port)
    scrape = Target(("127.0.0.1", port), b"GET /metrics HTTP/1.1\r\nHost: bench\r\n"
                    b"Authorization: Bearer any\r\n\r\n")  # fmt: skip
    looks: list[tuple[int, float]] = []
    done, turn, began = 0, 0, time.perf_counter()
    while done < _WARM_UP + requests:
        target = targets[turn % len(targets)]
        is_stranger = target is targets[-1]
        figures = await measure(target, clients=_CLIENTS, seconds=0.5 if is_stranger else _ROUND)
        if figures.errors != (len(figures.latencies) if is_stranger else 0):
            raise SystemExit(f"{figures.errors} of {len(figures.latencies)} requests failed.")
        await measure(scrape, clients=1, seconds=0.1)
        done, turn = done + len(figures.latencies), turn + 1
        if done >= _WARM_UP:
            looks.append((done, _read_resident(pid)))
        if turn % 10 == 0 or done >= _WARM_UP + requests:
            print(f"{done:,} requests, {_read_resident(pid):.1f} MiB", flush=True)
    return _report(looks, done / (time.perf_counter() - began))


def _report(looks: Sequence[tuple[int, float]], rate: float) -> float:
    """Print what the looks come to; the larger of both ways to see it."""
    (begin, first), (end, last) = looks[0], looks[-1]
    slope = linear_regression([x for x, _ in looks], [y for _, y in looks]).slope
    grown, tended = (last - first) / first, slope * (end - begin) / first
    print(
        f"{end - begin:,} requests after {begin:,} of warm-up, {rate:,.0f} a second: memory from "
        f"{first:.1f} to {last:.1f} MiB, {grown:+.2%}; least squares {slope * 1e6:+.2f} MiB a "
        f"million requests, {tended:+.2%}"
    )
    return max(grown, tended)


def _read_resident(pid: int) -> float:
    """MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("The gateway is gone.")


@contextmanager
def _gateway(folder: str) -> Iterator[tuple[int, int]]:
    """Process and port of one that answers."""
    command = [sys.executable, "-m", "bench.soak", "--serve", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process.pid, {1})
        os.sched_setaffinity(0, {0})
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        uvloop.run(serve(given.serve))
        return
    with tempfile.TemporaryDirectory() as folder, _gateway(folder) as (pid, port):
        grown = asyncio.run(soak(pid, port, given.requests))
    if grown >= _MOST:
        sys.exit(f"Memory grew by {grown:.1%}; less than {_MOST:.0%} is allowed.")


if __name__ == "__main__":
    main()
