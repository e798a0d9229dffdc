"""The replicas behind one deployment, as the gateway sees them.

The object stays the same while replicas, and even specs, come and go. While a changed spec is
rolled out both answer, if their prompts are laid out alike; a prompt that was made for one model
must not reach another, so else all requests go over at once, when half of the new replicas are
ready.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from cupola.deployments.loop import Keeper
from cupola.deployments.model import DeploymentState, DeploymentStatus
from cupola.engines.port import Profile, Replica

_REASONS = {
    DeploymentState.STOPPED: "The endpoint is stopped.",
    DeploymentState.DOWNLOADING: "The model's weights are being downloaded.",
    DeploymentState.FAILED: "The model cannot be started; its endpoint's status says why.",
}


class DeploymentPool:
    """Implements `gateway.directory.Pool`.

    Args:
        on_demand: Told when somebody waits for a replica.
    """

    def __init__(self, on_demand: Callable[[], None]) -> None:
        self._on_demand = on_demand
        self._waiters: set[asyncio.Future[None]] = set()
        self._current: Sequence[Keeper] = ()
        self._earlier: Sequence[Keeper] = ()
        self._wanted = 0
        self._profile: Profile | None = None
        self.status: DeploymentStatus | None = None
        """As of the last plan; None: there was none yet, or it is stopped for good."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a replica."""
        return len(self._waiters)

    @property
    def profile(self) -> Profile | None:
        """Of what answers now; None: not known before the weights are here.

        While two specs answer, the shorter context holds.
        """
        if self._profile is None or self._answers_with_current():
            return self._profile
        earlier = [each.replica.profile for each in self._earlier if each.replica is not None]
        if not earlier or not _alike(earlier[0], self._profile):
            return earlier[0] if earlier else self._profile
        shortest = min(each.context_length for each in (*earlier, self._profile))
        return replace(self._profile, context_length=shortest)

    def fill(
        self,
        current: Sequence[Keeper],
        earlier: Sequence[Keeper],
        wanted: int,
        profile: Profile | None,
    ) -> None:
        """What a plan found: replicas of the spec that is wanted, and of earlier ones."""
        self._current, self._earlier = current, earlier
        self._wanted, self._profile = wanted, profile
        self.notify()

    def ready(self) -> Sequence[Replica]:
        """Replicas that can answer now."""
        current = _ready(self._current)
        if not self._earlier:
            return current
        earlier = _ready(self._earlier)
        if not (current and earlier):
            return current or earlier
        if _alike(current[0].profile, earlier[0].profile):
            return [*current, *earlier]
        return current if 2 * len(current) >= self._wanted else earlier

    async def wait_ready(self, timeout: float) -> bool:
        """Wait until a replica is ready, at most `timeout` seconds; whether one is."""
        if not self.ready():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            self._on_demand()
            try:
                await asyncio.wait([waiter], timeout=timeout)
            finally:
                self._waiters.discard(waiter)
        return bool(self.ready())

    def reason(self) -> str:
        """Why no replica is ready, in a sentence that may be shown to callers.

        So it is less than the status says, which names what else runs on the machine.
        """
        ends = [each.ended for each in self._current if each.ended]
        if ends:
            return f"The model is being started again. {ends[0]}"
        state = self.status.state if self.status else DeploymentState.STARTING
        return _REASONS.get(state, "The model is starting.")

    def notify(self) -> None:
        """Wake those who wait, if there is something to wake them for."""
        if self._waiters and self.ready():
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _answers_with_current(self) -> bool:
        return not any(each.is_ready for each in self._earlier)


def _ready(keepers: Sequence[Keeper]) -> list[Replica]:
    return [each.replica for each in keepers if each.is_ready and each.replica is not None]


def _alike(one: Profile, other: Profile) -> bool:
    """Whether a prompt made for one suits the other."""
    return one is other or replace(one, context_length=other.context_length) == other
