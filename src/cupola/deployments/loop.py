"""The loop that keeps an endpoint's replicas running: one task a replica, start to start.

Each task starts its replica, waits until it ends and, after a pause that the model decides, starts
it again. So there is never more than one process a replica, and none that nobody waits for.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cupola.deployments.model import EndpointState, count_failures, pause_before_restart
from cupola.engines.port import Replica
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError
from cupola.kit.tasks import cancel, supervise

_log = logging.getLogger(__name__)


@dataclass
class _Kept:
    """A replica, and what became of its last run."""

    replica: Replica
    failures: int = 0
    ended: str = ""
    """How it ended, in words for callers; empty: it has not."""
    backing_off: bool = False


class Supervisor:
    """The replicas behind one endpoint; implements `gateway.directory.Pool`."""

    def __init__(self, replicas: Sequence[Replica], clock: Clock) -> None:
        self._kept = [_Kept(replica) for replica in replicas]
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._waiters: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Begin to keep the replicas running; returns before they are ready."""
        if not self._tasks:
            self._tasks = [supervise(self._keep(k), name="keep replica") for k in self._kept]

    async def stop(self) -> None:
        """End all replicas, at the same time."""
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*[cancel(task) for task in tasks])
        await asyncio.gather(*[kept.replica.stop() for kept in self._kept])

    def state(self) -> EndpointState:
        """What a caller may expect now."""
        if not self._tasks:
            return EndpointState.STOPPED
        if self.ready():
            return EndpointState.READY
        if all(kept.backing_off for kept in self._kept):
            return EndpointState.BACKING_OFF
        return EndpointState.STARTING

    def ready(self) -> Sequence[Replica]:
        """Replicas that can answer now; asked of each, so a dead one is out at once."""
        return [kept.replica for kept in self._kept if kept.replica.state == "ready"]

    async def wait_ready(self, timeout: float) -> bool:
        """Wait until a replica is ready, at most `timeout` seconds; whether one is."""
        if not self.ready():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait([waiter], timeout=timeout)
            finally:
                self._waiters.discard(waiter)
        return bool(self.ready())

    def reason(self) -> str:
        """Why no replica is ready, in a sentence that may be shown to callers."""
        if not self._tasks:
            return "The endpoint is stopped."
        ends = [kept.ended for kept in self._kept if kept.ended]
        if ends:
            return f"The model is being started again. {ends[0]}"
        return "The model is starting."

    async def _keep(self, kept: _Kept) -> None:
        while True:
            began = self._clock.monotonic()
            kept.ended = await self._run(kept)
            kept.failures = count_failures(kept.failures, self._clock.monotonic() - began)
            kept.backing_off = True
            await asyncio.sleep(pause_before_restart(kept.failures))
            kept.backing_off = False

    async def _run(self, kept: _Kept) -> str:
        """Run the replica once; how it ended, or why it did not start."""
        try:
            await kept.replica.start()
        except CupolaError as error:
            _log.error("A replica did not start. %s", error)
            return error.public
        kept.ended = ""
        self._wake_waiters()
        how = await kept.replica.wait_ended()
        _log.error("A replica ended. %s", how)
        return how

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
