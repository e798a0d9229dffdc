"""The replicas behind one deployment, as the gateway sees them.

The object stays the same while replicas, and even specs, come and go. While a changed spec is
rolled out both answer, if their prompts are laid out alike; a prompt that was made for one model
must not reach another, so else all requests go over at once, when half of the new replicas are
ready.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
        self._answering: Sequence[Keeper] = ()
        self._profile: Profile | None = None
        self.status: DeploymentStatus | None = None
        """As of the last plan; None: there was none yet, or it is stopped for good."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a replica."""
        return len(self._waiters)

    @property
    def profile(self) -> Profile | None:
        """Of what answers now; None: not known before the weights are here."""
        return self._profile

    def count_replicas(self) -> Mapping[DeploymentState, int]:
        """Those behind it, of earlier specs too while they answer, by what they are doing."""
        behind = {id(each): each.state for each in (*self._current, *self._answering)}
        return Counter(behind.values())

    def fill(
        self,
        current: Sequence[Keeper],
        earlier: Sequence[Keeper],
        wanted: int,
        profile: Profile | None,
        earlier_profile: Profile | None = None,
    ) -> None:
        """What a plan found: replicas of the spec that is wanted, and of earlier ones.

        Which of them answer is decided here and holds until the next plan, so that whoever fills
        pools can tell the gateway of the new profile in the same moment.
        """
        self._current = current
        new = len(_ready(current))
        if not earlier or earlier_profile is None:
            self._answering, self._profile = current, profile
        elif profile is None or _alike(earlier_profile, profile):
            self._answering = [*current, *earlier]
            self._profile = _shorten(earlier_profile, profile)
        elif new and (2 * new >= wanted or not _ready(earlier)):
            self._answering, self._profile = current, profile
        else:
            self._answering, self._profile = earlier, earlier_profile
        self.notify()

    def ready(self) -> Sequence[Replica]:
        """Replicas that can answer now; asked of each, so a dead one is out at once."""
        return _ready(self._answering)

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


def _ready(keepers: Sequence[Keeper]) -> list[Replica]:
    return [each.replica for each in keepers if each.is_ready and each.replica is not None]


def _alike(one: Profile, other: Profile) -> bool:
    """Whether a prompt made for one suits the other."""
    return one is other or replace(one, context_length=other.context_length) == other


def _shorten(one: Profile, other: Profile | None) -> Profile:
    """Of two that are alike, with the context that both hold."""
    if other is None or one.context_length <= other.context_length:
        return one
    return other
