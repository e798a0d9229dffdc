"""The loop that keeps one replica running, start to start, until it is stopped.

It starts the replica, waits until it ends and, after a pause that the model decides, starts it
again. So there is never more than one process a replica, and none that nobody waits for.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Final

from cupola.deployments.model import DeploymentState, count_failures, pause_before_restart
from cupola.deployments.ports import Order
from cupola.deployments.situation import Cohort, Observed, Phase
from cupola.engines.port import Generation, Replica
from cupola.ids import ReplicaId
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, Unavailable
from cupola.kit.tasks import cancel, supervise
from cupola.wire.canonical import Failed

_PROBE: Final = Generation(prompt=("Hello",), max_tokens=1, temperature=0.0)
"""What a new replica is asked before it counts as ready: loading a model proves little."""
_PROBE_TIME: Final = 120.0
"""Seconds for it: weights that were mapped are read now, perhaps from a slow disk."""
_STATES: Final = {
    Phase.STARTING: DeploymentState.STARTING,
    Phase.READY: DeploymentState.READY,
    Phase.BACKING_OFF: DeploymentState.BACKING_OFF,
    Phase.DRAINING: DeploymentState.STOPPING,
    Phase.STOPPING: DeploymentState.STOPPING,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every keeper works with."""

    make: Callable[[Order], Replica]
    """Reads the model's file, so it is called in a thread. Raises: CupolaError."""
    running: Callable[["Keeper"], AbstractAsyncContextManager[None]]
    """Entered for as long as the replica's process is there."""
    on_event: Callable[[], None]
    """Its phase has changed."""
    clock: Clock


class Keeper:
    """One replica, from the wish for it to its end."""

    def __init__(self, order: Order, surroundings: Surroundings) -> None:
        self.order = order
        self.replica: Replica | None = None
        self.phase = Phase.STARTING
        self.ended = ""
        """How its last run ended, in words for callers; empty: it has not."""
        self.detail = ""
        """The same, for whoever runs the platform: with the engine's last lines."""
        self.started = int(surroundings.clock.now())
        self._around = surroundings
        self._began = self._since = surroundings.clock.monotonic()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> ReplicaId:
        return self.order.id

    @property
    def cohort(self) -> Cohort:
        return self.order.cohort

    @property
    def is_ready(self) -> bool:
        """Asked of the replica itself, so a dead one is out at once."""
        return (
            self.phase is Phase.READY and self.replica is not None and self.replica.state == "ready"
        )

    @property
    def busy(self) -> int:
        return self.replica.busy if self.replica is not None else 0

    @property
    def state(self) -> DeploymentState:
        """Its phase, in the words that deployments have."""
        return _STATES[self.phase]

    def observe(self) -> Observed:
        """As a plan sees it."""
        phase = self.phase
        if phase is Phase.READY and not self.is_ready:
            phase = Phase.STARTING  # it has ended, which its task has not noticed yet
        return Observed(
            self.id, self.cohort, phase, self._began, self._since,
            self.busy, self._failures, self.ended,
        )  # fmt: skip

    def start(self) -> None:
        """Begin to keep it running."""
        self._task = supervise(self._keep(), name=f"keep {self.order.name}")

    def drain(self) -> None:
        """Offer it for no further request."""
        self._enter(Phase.DRAINING)

    async def stop(self) -> None:
        """End it, whatever it does; it is not started again."""
        self._enter(Phase.STOPPING)
        if self._task is not None:
            await cancel(self._task)

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._since = self._around.clock.monotonic()
        self._around.on_event()

    async def _keep(self) -> None:
        clock = self._around.clock
        while True:
            began = clock.monotonic()
            ended = await self._run()
            if self.phase in (Phase.DRAINING, Phase.STOPPING):
                return
            self.ended, self.detail = ended.public, str(ended)
            _log.error("The replica %s ended. %s", self.order.name, ended)
            self._failures = count_failures(self._failures, clock.monotonic() - began)
            self._enter(Phase.BACKING_OFF)
            await asyncio.sleep(pause_before_restart(self._failures))
            self._enter(Phase.STARTING)

    async def _run(self) -> CupolaError:
        """Run it once; how it ended, or why it did not start."""
        try:
            if self.replica is None:
                self.replica = await asyncio.to_thread(self._around.make, self.order)
            async with self._around.running(self):
                return await self._run_process(self.replica)
        except CupolaError as error:
            return error

    async def _run_process(self, replica: Replica) -> CupolaError:
        try:
            await replica.start()
            if not self.cohort.upstream and not self._failures:
                await _probe(replica)
            if self.phase is Phase.STARTING:
                self.ended = self.detail = ""
                self.started = int(self._around.clock.now())
                self._enter(Phase.READY)
            return Unavailable(await replica.wait_ended())
        finally:
            await replica.stop()


async def _probe(replica: Replica) -> None:
    """Have it say a token. Raises: CupolaError, if it cannot."""
    try:
        async with asyncio.timeout(_PROBE_TIME), aclosing(replica.generate(_PROBE)) as events:
            async for event in events:
                if isinstance(event, Failed):
                    raise event.error
    except TimeoutError as error:
        raise Unavailable("The engine started, but does not answer.") from error
