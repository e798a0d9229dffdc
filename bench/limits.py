"""What limits cost a request: reserving and settling, in memory and in Redis.

    python -m bench.limits

In memory it is processor time, since nothing waits: the median and the slowest hundredth of rounds
of a thousand requests. For Redis it is the time of single requests, one after the other, and how
many a second 64 clients get at once. Redis is asked only where `redis-server` is installed.
"""

import asyncio
import shutil
import time
from collections.abc import Sequence
from statistics import median, quantiles

from cupola.kit.clock import SystemClock
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import Bound, Cost, Limits, Scope, Ticket
from cupola.quotas.ports import Counters
from cupola.quotas.redis import RedisCounters
from cupola.quotas.service import Limiter
from tests.redis_server import redis_server

_WIDE = 10**12
_MINUTE = Limits(requests_per_minute=_WIDE, tokens_per_minute=_WIDE)
_ALL = Limits(*[_WIDE] * 6)
_NONE = Limits(requests_per_minute=0)
_CASES = {
    "endpoint, a minute's limits": [Bound(Scope("endpoint", "pilot"), _MINUTE)],
    "endpoint, project and key, all limits": [
        Bound(Scope("endpoint", "pilot"), _ALL),
        Bound(Scope("project", "default"), _ALL),
        Bound(Scope("key", "key_1"), _ALL),
    ],
    "refused": [Bound(Scope("endpoint", "pilot"), _NONE)],
}
_ROUNDS = 50
_ROUND = 1000
_SINGLE = 2000
_CLIENTS = 64


async def one(limiter: Limiter, bounds: Sequence[Bound]) -> None:
    """All that the gateway asks of the limiter for one request."""
    demand = limiter.estimate("model", 100, 500)
    outcome = await limiter.admit(bounds, demand)
    if isinstance(outcome, Ticket):
        await limiter.settle(outcome, Cost(150, 3), model="model", completion=50)


async def measure_memory() -> None:
    for name, bounds in _CASES.items():
        limiter = make(MemoryCounters(SystemClock()))
        times = []
        for _ in range(_ROUNDS):
            began = time.process_time()
            for _ in range(_ROUND):
                await one(limiter, bounds)
            times.append((time.process_time() - began) / _ROUND)
        show(f"memory: {name}", times)


async def measure_redis(url: str) -> None:
    async with RedisCounters(url, SystemClock()) as counters:
        limiter = make(counters)
        for name, bounds in _CASES.items():
            times = []
            for _ in range(_SINGLE):
                began = time.perf_counter()
                await one(limiter, bounds)
                times.append(time.perf_counter() - began)
            show(f"redis: {name}", times)
        await measure_many(limiter)


async def measure_many(limiter: Limiter) -> None:
    bounds = _CASES["endpoint, a minute's limits"]

    async def client() -> None:
        for _ in range(_SINGLE // _CLIENTS):
            await one(limiter, bounds)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    each = _SINGLE // _CLIENTS * _CLIENTS
    print(f"redis: {_CLIENTS} clients at once{'':22}{each / (time.perf_counter() - began):8.0f} /s")


def make(counters: Counters) -> Limiter:
    return Limiter(counters, SystemClock())


def show(name: str, times: Sequence[float]) -> None:
    slow = quantiles(times, n=100)[-1]
    print(f"{name:<48}{median(times) * 1e6:8.1f} µs {slow * 1e6:8.1f} µs")


if __name__ == "__main__":
    asyncio.run(measure_memory())
    if shutil.which("redis-server"):
        with redis_server() as server:
            asyncio.run(measure_redis(server.url))
