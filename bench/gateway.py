"""Cupola's gateway as it is, with the mock engine in the place of llama.cpp.

    python -m bench.gateway WEIGHTS ENGINE_SOCKET KEY [ENDPOINTS [metered | unsynced]]

With `metered` every request meets limits that it passes, counts in the metrics, and is in a SQLite
ledger with full sync before its reply ends; `unsynced` leaves to the system when that ledger comes
to the disk. KEY is for one of so many endpoints (1), each with two keys, in projects of
ten that have a key each. Prints its port when it listens. Everything is the product's own (server,
authentication, decoding, checks, template, engine adapter, encoding) but the engine process, which
is only attached to.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from sqlite3 import Connection

import uvloop

from cupola.app.greeting import tune_collector
from cupola.db.migration import ensure_ledger
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Replica
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Caller, Directory, Served, Snapshot, Terms, serve_alone
from cupola.gateway.journey import Observer
from cupola.gateway.meter import Meter, Metered
from cupola.gateway.metrics import RequestMetrics
from cupola.http.client import Client, Unix
from cupola.http.server import Server, listen
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.keys.model import digest
from cupola.kit.clock import SystemClock
from cupola.kit.money import Money
from cupola.metering.memory import MemoryBudgets, MemoryNotices, MemoryPrices, MemoryRecords
from cupola.metering.service import Prices
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.watch import BudgetWatch
from cupola.metering.writer import Ledger
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import Bound, Limits, Scope
from cupola.quotas.service import Limiter

_SECRET = b"bench" * 8
_NAME = EndpointName("bench")
_MODEL = ModelName("Bench")
_LIMITS = Limits(requests_per_minute=10**9, tokens_per_minute=10**12)


@dataclass
class AttachedProcess:
    """An engine that somebody else has started."""

    client: Client
    is_running: bool = True
    pid: int | None = field(default=None)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OneReplica:
    """A pool whose only replica is always ready."""

    replica: Replica

    def ready(self) -> Sequence[Replica]:
        return (self.replica,)

    async def wait_ready(self, timeout: float) -> bool:
        return True

    def reason(self) -> str:
        return ""


class UnsyncedRecords(SqliteRecords):
    """A ledger that a power cut may take the last seconds of."""

    def _connect(self) -> Connection:
        connection = super()._connect()
        connection.execute("PRAGMA synchronous = OFF")
        return connection


PLAIN = "plain"
_RECORDS = {"metered": SqliteRecords, "unsynced": UnsyncedRecords}
"""What keeps the ledger, by mode."""


@asynccontextmanager
async def metering(folder: Path, records: type[SqliteRecords]) -> AsyncIterator[Meter]:
    """The product's own, on a ledger that is new, and with a price."""
    clock = SystemClock()
    ensure_ledger(folder / "ledger.db")
    watch = BudgetWatch(MemoryBudgets(), MemoryNotices(), MemoryRecords(), clock)
    ledger = Ledger(records(folder / "ledger.db"), folder, clock, on_durable=watch.add)
    prices = Prices(MemoryPrices(), clock)
    await prices.set_model(_MODEL, Money(1_000_000, "EUR"), Money(2_000_000, "EUR"))
    await ledger.start()
    try:
        limiter = Limiter(MemoryCounters(clock), clock)
        yield Metered(ledger, limiter, watch, prices, clock)
    finally:
        await ledger.close()


async def serve(weights: Path, engine: str, key: str, endpoints: int, mode: str) -> None:
    """Answer until killed."""
    with tempfile.TemporaryDirectory() as folder:
        replica = LlamaCppReplica(
            weights,
            Path(folder),
            slots=64,
            context_length=None,
            threads=1,
            log_folder=Path(folder),
        )
        replica._process = AttachedProcess(Client(Unix(engine), max_idle=96))  # type: ignore[assignment]
        await replica.start()
        async with AsyncExitStack() as stack:
            socket = stack.enter_context(listen("127.0.0.1", 0))
            directory = _directory(replica, key, endpoints)
            meter: Meter | None = None
            observers: list[Observer] = []
            if mode != PLAIN:
                kept = metering(Path(folder), _RECORDS[mode])
                meter = await stack.enter_async_context(kept)
                observers.append(RequestMetrics(lambda: directory.snapshot.endpoints))
            gateway = Gateway(
                directory,
                lambda k: digest(_SECRET, k),
                SystemClock(),
                meter=meter,
                observers=observers,
            )
            socket.listen()  # so that callers queue until the server takes them
            print(socket.getsockname()[1], flush=True)
            tune_collector()
            await Server(gateway, socket).run()


def _directory(replica: LlamaCppReplica, key: str, endpoints: int) -> Directory:
    served = Served(
        endpoint=_NAME,
        deployment=DeploymentName(_NAME),
        model=_MODEL,
        provider="Cupola",
        model_type="chat-completions",
        created=0,
        profile=replica.profile,
        default_temperature=0.7,
        pool=OneReplica(replica),
    )
    names = [_NAME, *(EndpointName(f"other-{i}") for i in range(1, endpoints))]
    callers = {digest(_SECRET, f"{name} {i}"): _reach(name) for name in names for i in range(2)}
    for i in range(0, endpoints, 10):
        callers[digest(_SECRET, f"project {i}")] = _reach(*names[i : i + 10])
    callers[digest(_SECRET, key)] = _reach(_NAME)
    serving = {name: serve_alone(replace(served, endpoint=name)) for name in names}
    for name, each in serving.items():
        each.terms = Terms("bench", "serverless", (Bound(Scope("endpoint", name), _LIMITS),))
    return Directory(Snapshot(serving, callers))


def _reach(*names: EndpointName) -> Caller:
    return Caller((frozenset(names),))


if __name__ == "__main__":
    uvloop.install()
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    chosen = sys.argv[5] if len(sys.argv) > 5 else PLAIN
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3], count, chosen))
