"""A gateway's worth of clients in a process of its own, against limits in Redis.

    python -m tests.quotas.gateway URL CLIENTS SECONDS LIMITS LEASE

Each client asks, holds what it got for a moment, settles, and asks again. Prints, as JSON, when
each admitted request began and ended, how often one was refused, and by what.
"""

import asyncio
import json
import random
import sys
import time

from cupola.kit.clock import SystemClock
from cupola.quotas.model import Bound, Cost, Demand, Limits, Scope, Ticket
from cupola.quotas.redis import Options, RedisCounters
from cupola.quotas.service import Limiter

COST = Cost(10, 10)
_PATIENCE = 120  # a machine that tests on is busy; this is not about outages


async def serve(
    url: str, clients: int, seconds: float, limits: Limits, lease: float
) -> dict[str, object]:
    clock = SystemClock()
    bounds = [Bound(Scope("endpoint", "pilot"), limits), Bound(Scope("key", "key_1"), Limits())]
    ends = clock.now() + seconds
    spans: list[tuple[float, float]] = []
    refused = 0
    async with RedisCounters(url, clock, Options(patience=_PATIENCE, lease=lease)) as counters:
        limiter = Limiter(counters, clock)

        async def client() -> None:
            nonlocal refused
            while clock.now() < ends:
                outcome = await limiter.admit(bounds, Demand(COST))
                if not isinstance(outcome, Ticket):
                    refused += 1
                    await asyncio.sleep(random.uniform(0, 0.02))
                    continue
                began = time.clock_gettime(time.CLOCK_MONOTONIC)
                await asyncio.sleep(random.uniform(0, 0.02))
                spans.append((began, time.clock_gettime(time.CLOCK_MONOTONIC)))
                await limiter.settle(outcome, COST)

        await asyncio.gather(*(client() for _ in range(clients)))
        uncounted = limiter.statistics().uncounted
    return {"spans": spans, "refused": refused, "uncounted": uncounted}


if __name__ == "__main__":
    url, clients, seconds, limits, lease = sys.argv[1:]
    found = serve(url, int(clients), float(seconds), Limits(**json.loads(limits)), float(lease))
    print(json.dumps(asyncio.run(found)))
