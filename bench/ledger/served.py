"""A real server on the ledger: how soon it listens, what reports and exports take, and its memory.

Everything is asked over the management API, as an administrator asks it. The server has a core and
this process another, where there are two. Each question is asked many times: the first, for which
nothing is known in memory, is told apart from the rest.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

import msgspec

from bench.ledger.fill import DAYS, Filled
from cupola.home import Home
from cupola.http.client import Client, Tcp
from cupola.kit.tasks import cancel, supervise
from cupola.metering.model import DAY, HOUR

_ROOT = "/management/v1"
_LIMIT = 0.3
"""Seconds within which 19 of 20 reports have to be there."""
_START_WITHIN = 120.0
_WITHIN = 3600.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server that listens."""

    pid: int
    port: int
    token: str

    def resident(self) -> float:
        """MiB that it holds now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise SystemExit("The server is gone.")

    def client(self) -> Client:
        return Client(Tcp("127.0.0.1", self.port))

    def path(self, what: str, query: Sequence[tuple[str, str]]) -> str:
        return f"{_ROOT}/{what}?{urlencode(query)}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@contextmanager
def serving(filled: Filled, **settings: str) -> Iterator[Served]:
    """`cupola up` on the filled home; prints how long it took to listen, and to be ready."""
    home, ready = Home(filled.home), filled.home.with_name(f"{filled.home.name}.ready")
    ready.unlink(missing_ok=True)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CUPOLA_")}
    began = time.perf_counter()
    command = ["up", "--port", "0", "--home", str(filled.home), "--ready-file", str(ready)]
    server = subprocess.Popen(
        [sys.executable, "-m", "cupola", *command],
        stdout=subprocess.DEVNULL,
        env={**kept, "CUPOLA_OFFLINE": "true", **settings},
    )
    _pin(server.pid, 1)
    try:
        note = _wait(server, lambda: home.find_server())
        listened = time.perf_counter() - began
        _wait(server, ready.exists)
        took = time.perf_counter() - began
        served = Served(server.pid, int(note.url.rpartition(":")[2]),
                        home.console_token.read_text().strip())  # fmt: skip
        print(
            f"start: listens after {listened:.2f} s, its first endpoint answers after {took:.2f} "
            f"s; {served.resident():.0f} MiB",
            flush=True,
        )
        yield served
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], find: Any) -> Any:
    until = time.perf_counter() + _START_WITHIN
    while not (found := find()):
        if server.poll() is not None or time.perf_counter() > until:
            raise SystemExit("The server did not start; try `cupola up` on its home.")
        time.sleep(0.005)
    return found


def _pin(pid: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(pid, {core})


Query = Sequence[tuple[str, str]]


def list_questions(end: int) -> Iterator[tuple[str, str, Query]]:
    """What reports there are: each grouping, with each length of time, and with filters."""

    def since(days: int, hours: int = 0) -> Query:
        return (("from", _spell(end - days * DAY - hours * HOUR)), ("to", _spell(end)))

    each = ("project", "model", "endpoint", "key", "kind", "deployment")
    for by, days in product(("day", *each), (7, DAYS)):
        yield f"by {by}, {days} days", "usage", (("by", by), *since(days))
    for days in (1, 7, 30, DAYS):
        yield f"by hour, {days} days", "usage", (("by", "hour"), *since(days))
    for by in each[:4]:
        yield f"by day and {by}, 7 days", "usage", (("by", "day"), ("by", by), *since(7))
    yield "by hour and model, 7 days", "usage", (("by", "hour"), ("by", "model"), *since(7))
    yield "by day and endpoint, 30 days", "usage", (("by", "day"), ("by", "endpoint"), *since(30))
    yield "by model, 29 days and 5 hours", "usage", (("by", "model"), *since(29, 5))
    filters = (
        ("project", "project-3"),
        ("endpoint", "endpoint-3"),
        ("key", "key_3_1"),
        ("model", "model-3"),
        ("kind", "managed"),
    )
    for name, value in filters:
        where = ((name, value),)
        yield f"by day, one {name}, {DAYS} days", "usage", (("by", "day"), *where, *since(DAYS))
        yield f"by hour, one {name}, 30 days", "usage", (("by", "hour"), *where, *since(30))
    for by in ("day", "hour", "model", "key", "project"):
        yield f"cost by {by}, {DAYS} days", "cost", (("by", by), *since(DAYS))
    yield (
        "cost of a project by model, 30 days",
        "projects/project-3/cost",
        (
            ("by", "model"),
            *since(30),
        ),
    )


def _spell(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


async def ask_all(served: Served, filled: Filled, rounds: int) -> Sequence[str]:
    """Print what each report takes; those that are slower than they may be."""
    client, slow = served.client(), []
    await _ask(client, served, "usage", (("since", "1h"),))  # the API is imported at first use
    before = served.resident()
    async with _listening(served) as waits:
        for what, route, query in list_questions(filled.end):
            took, rows = [], 0
            for _ in range(rounds + 1):
                began = time.perf_counter()
                rows = await _ask(client, served, route, query)
                took.append(time.perf_counter() - began)
            p50, p95 = _percentile(took[1:], 50), _percentile(took[1:], 95)
            print(
                f"  {what}: p50 {p50 * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, first "
                f"{took[0] * 1e3:.0f} ms; {rows:,} rows",
                flush=True,
            )
            if p95 > _LIMIT:
                slow.append(what)
    print(
        f"reports: memory {before:.0f} MiB before, {served.resident():.0f} MiB after; "
        f"another request waited {max(waits) * 1e3:.0f} ms at most",
        flush=True,
    )
    client.close()
    return slow


async def _ask(client: Client, served: Served, route: str, query: Query) -> int:
    path = served.path(route, query)
    status, body = await client.request("GET", path, b"", served.headers, within=_WITHIN)
    if status != 200:
        raise SystemExit(f"{path} was answered with {status}: {body[:500]!r}")
    return len(msgspec.json.decode(body)["items"])


async def export_all(served: Served, filled: Filled) -> None:
    """Print what exports of all records take, and the memory that the server has meanwhile."""
    period = (("from", "2020-01-01T00:00:00Z"), ("to", "2100-01-01T00:00:00Z"))
    for form in ("csv", "jsonl"):
        before, highest = served.resident(), 0.0
        began, size, lines, checked = time.perf_counter(), 0, 0, 0.0
        client = served.client()
        path = served.path("records", (*period, ("format", form)))
        async with _listening(served) as waits:
            asked = client.stream("GET", path, b"", served.headers, within=_WITHIN)
            async with asked as reply:
                async for part in reply:
                    size += len(part)
                    lines += part.count(b"\n")
                    if time.perf_counter() > checked + 0.5:
                        checked = time.perf_counter()
                        highest = max(highest, served.resident())
        client.close()
        took = time.perf_counter() - began
        rows = lines - (form == "csv")
        if rows < filled.rows:
            raise SystemExit(f"The export has {rows:,} records of {filled.rows:,}.")
        print(
            f"export as {form}: {rows:,} records in {took:.0f} s, {rows / took:,.0f} records/s, "
            f"{size / 2**20:,.0f} MiB; memory {before:.0f} MiB before, {highest:.0f} MiB at most; "
            f"another request waited {_percentile(waits, 99) * 1e3:.0f} ms at p99, "
            f"{max(waits) * 1e3:.0f} ms at most",
            flush=True,
        )


@asynccontextmanager
async def _listening(served: Served) -> AsyncIterator[list[float]]:
    """How long another request, that needs nothing, waits while the block runs."""
    client, waits = served.client(), []

    async def ask() -> None:
        while True:
            began = time.perf_counter()
            await client.request("GET", "/healthz", within=60.0)
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)

    task = supervise(ask(), name="listening")
    await asyncio.sleep(0.1)
    waits.clear()
    try:
        yield waits
    finally:
        waits.append(0.0)
        await cancel(task)
        client.close()


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]
