"""What is written down of running replicas: when instances ran, and how much memory they took.

A bill that cannot be written, because the database is away, must not stop an engine: that is logged
and goes on. An instance whose end nobody saw ends where it was last seen.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from cupola.deployments.loop import Keeper
from cupola.deployments.model import InstanceType, Interval
from cupola.deployments.ports import Compute, IntervalStore, MemoryUseStore, Survey
from cupola.deployments.situation import Cohort, Placed
from cupola.ids import ModelName, new_id
from cupola.kit.clock import Clock

_NEWS: Final = 1.02
"""How much larger a figure must be to be worth a write: engines breathe."""
_Kind: TypeAlias = tuple[ModelName, str, int, int]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What a replica's bill and its memory go by."""

    placed: Placed | None
    """Whose instance it is; None: nobody's, for it is shared and billed by token."""
    instance_type: InstanceType | None
    survey: Survey | None
    quantisation: str


class Ledger:
    """Writes intervals and memory use.

    Args:
        look_up: What is known of a replica's cohort, now.
    """

    def __init__(
        self,
        intervals: IntervalStore,
        memory_use: MemoryUseStore,
        compute: Compute,
        clock: Clock,
        look_up: Callable[[Cohort], Known],
    ) -> None:
        self._intervals = intervals
        self._memory_use = memory_use
        self._compute = compute
        self._clock = clock
        self._look_up = look_up
        self._open: dict[str, Keeper] = {}
        self._recorded: dict[_Kind, int] = {}

    async def begin(self) -> None:
        """End what a killed server left open."""
        await _try(self._intervals.close_lost)

    @asynccontextmanager
    async def running(self, keeper: Keeper) -> AsyncIterator[None]:
        """An interval, from before the process starts until after it has ended."""
        interval = self._make_interval(keeper)
        if interval is None:
            yield
            return
        self._open[interval.id] = keeper
        await _try(lambda: self._intervals.open(interval))
        try:
            yield
        finally:
            del self._open[interval.id]
            await _try(lambda: self._intervals.close(interval.id, int(self._clock.now())))

    async def touch(self) -> None:
        """Say that what is open still runs."""
        if ids := list(self._open):
            await _try(lambda: self._intervals.touch(ids, int(self._clock.now())))

    async def record_memory(self, keepers: Iterable[Keeper]) -> None:
        """Measure those that are ready."""
        for keeper in list(keepers):
            if keeper.is_ready and keeper.replica is not None:
                await self._record(keeper, self._compute.measure(keeper.replica))

    async def _record(self, keeper: Keeper, memory: int | None) -> None:
        known = self._look_up(keeper.cohort)
        survey = known.survey
        if memory is None or survey is None or memory < survey.size:
            return  # before it has touched all of its weights it is no measure
        kind = (
            keeper.cohort.spec.model,
            known.quantisation,
            survey.slots,
            survey.profile.context_length,
        )
        if memory <= self._recorded.get(kind, 0) * _NEWS:
            return
        self._recorded[kind] = memory
        await _try(lambda: self._memory_use.record(*kind, memory))

    def _make_interval(self, keeper: Keeper) -> Interval | None:
        known = self._look_up(keeper.cohort)
        if known.placed is None or known.instance_type is None:
            return None
        now = int(self._clock.now())
        return Interval(
            id=new_id("int"),
            endpoint=known.placed.address.endpoint,
            deployment=known.placed.address.deployment,
            project=known.placed.project,
            model=keeper.cohort.spec.model,
            instance_type=known.instance_type.name,
            cores=known.instance_type.cores,
            started=now,
            seen=now,
        )


async def _try(write: Callable[[], Awaitable[None]]) -> None:
    try:
        await write()
    except Exception:  # noqa: BLE001  (whatever the database's driver raises; see above)
        _log.exception("What instances used could not be written down.")
