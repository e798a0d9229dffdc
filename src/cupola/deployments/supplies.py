"""What cohorts would be made of: whether weights are here, what their file says, what it needs.

Looking into a file and fetching one take long, so tasks of their own do it; what they find is there
at the next look, and `on_event` says that there is something to look at.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from cupola.deployments.fit import Need, reckon
from cupola.deployments.model import WeightsAbsent, WeightsFailed, WeightsReady, WeightsState
from cupola.deployments.ports import Compute, MemoryUseStore, Survey, WeightsSource
from cupola.deployments.situation import Cohort, Supply
from cupola.engines.port import Profile
from cupola.ids import ModelName
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError
from cupola.kit.tasks import cancel, supervise

_REFUSED: Final = 60.0
"""Seconds after which weights that did not come are asked for again."""
_UPSTREAM: Final = WeightsReady(Path(), "")
"""What an upstream has in place of weights."""
_Parameters: TypeAlias = tuple[ModelName, str | None]
"""Model and quantisation: what is fetched."""

_log = logging.getLogger(__name__)


@dataclass
class _Looked:
    """What is known of a cohort's model file; replaced when the file is another one."""

    weights: WeightsState
    survey: Survey | None = None
    need: Need | None = None
    fault: str = ""


class Supplies:
    """Keeps up with the weights of the cohorts that are wanted."""

    def __init__(
        self,
        weights: WeightsSource,
        compute: Compute,
        memory_use: MemoryUseStore,
        clock: Clock,
        on_event: Callable[[], None],
    ) -> None:
        self._weights = weights
        self._compute = compute
        self._memory_use = memory_use
        self._clock = clock
        self._on_event = on_event
        self._looked: dict[Cohort, _Looked] = {}
        self._fetching: set[_Parameters] = set()
        self._refused: dict[_Parameters, tuple[str, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, wanted: Collection[Cohort], running: Collection[Cohort]) -> bool:
        """Look at whose weights have come, gone or changed; whether there was anything new.

        What is neither wanted nor running is forgotten.
        """
        forgotten = [each for each in self._looked if each not in wanted and each not in running]
        for cohort in forgotten:
            del self._looked[cohort]
        states: dict[_Parameters, WeightsState] = {}
        news = [self._look(cohort, self._find_state(cohort, states)) for cohort in wanted]
        return bool(forgotten) or any(news)

    def tell(self) -> Mapping[Cohort, Supply]:
        """As a plan sees them."""
        return {
            cohort: Supply(looked.weights, looked.need, looked.fault)
            for cohort, looked in self._looked.items()
        }

    def find_survey(self, cohort: Cohort) -> Survey | None:
        """None: nobody has looked into the file yet, or it cannot be served."""
        looked = self._looked.get(cohort)
        return looked.survey if looked else None

    def find_profile(self, cohort: Cohort) -> Profile | None:
        survey = self.find_survey(cohort)
        return survey.profile if survey else None

    def find_path(self, cohort: Cohort) -> Path | None:
        """The weights' file; None: there is none, as of an upstream."""
        looked = self._looked.get(cohort)
        if looked is None or cohort.upstream or not isinstance(looked.weights, WeightsReady):
            return None
        return looked.weights.path

    def find_quantisation(self, cohort: Cohort) -> str:
        """Of the weights that are here; empty: there are none."""
        looked = self._looked.get(cohort)
        here = looked.weights if looked else None
        return here.quantisation if isinstance(here, WeightsReady) else ""

    def fetch(self, cohort: Cohort) -> None:
        """Begin to have the weights brought here, once for all who ask."""
        key = (cohort.spec.model, cohort.spec.quantisation)
        if key not in self._fetching:
            self._fetching.add(key)
            self._spawn(self._fetch(key), f"fetch {cohort.spec.model}")

    async def settle(self) -> None:
        """Wait until everything that is being looked into is known."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def stop(self) -> None:
        for task in list(self._tasks):
            await cancel(task)

    def _find_state(self, cohort: Cohort, known: dict[_Parameters, WeightsState]) -> WeightsState:
        if cohort.upstream:
            return _UPSTREAM
        key = (cohort.spec.model, cohort.spec.quantisation)
        if key not in known:
            known[key] = self._weights.state(*key)
            reason, until = self._refused.get(key, ("", 0.0))
            if isinstance(known[key], WeightsAbsent) and self._clock.monotonic() < until:
                known[key] = WeightsFailed(reason)
        return known[key]

    def _look(self, cohort: Cohort, state: WeightsState) -> bool:
        known = self._looked.get(cohort)
        if known is not None and known.weights == state:
            return False
        self._looked[cohort] = looked = _Looked(state)
        if isinstance(state, WeightsReady):
            self._spawn(self._survey(cohort, looked), f"look into {cohort.spec.model}")
        return True

    async def _survey(self, cohort: Cohort, looked: _Looked) -> None:
        path = self.find_path(cohort)
        try:
            looked.survey = await asyncio.to_thread(self._compute.survey, cohort, path)
            looked.need = await self._reckon(cohort, looked.survey, path)
        except CupolaError as error:
            _log.error("%s cannot be served. %s", cohort.spec.model, error)
            looked.fault = f"{error.public} Put a whole file in its place, or deploy another model."
        except OSError as error:
            _log.error("%s cannot be served. %s", cohort.spec.model, error)
            looked.fault = f"Its file cannot be read ({error.strerror}): mend that."
        self._on_event()

    async def _reckon(self, cohort: Cohort, survey: Survey, path: Path | None) -> Need:
        if path is None:
            return Need()
        measured = await self._find_measured(cohort, survey)
        return reckon(survey.size, str(path), survey.cache, measured, survey.smaller)

    async def _find_measured(self, cohort: Cohort, survey: Survey) -> int | None:
        quantisation = self.find_quantisation(cohort)
        length = survey.profile.context_length
        try:
            return await self._memory_use.find(
                cohort.spec.model, quantisation, survey.slots, length
            )
        except Exception as error:  # noqa: BLE001  (the database's driver; reckoned will do as well)
            _log.warning("What such replicas took cannot be read. %s", error)
            return None

    async def _fetch(self, key: _Parameters) -> None:
        try:
            await self._weights.ensure(*key)
        except CupolaError as error:
            _log.error("The weights of %s did not come. %s", key[0], error)
            self._refused[key] = error.public, self._clock.monotonic() + _REFUSED
        finally:
            self._fetching.discard(key)
            self._on_event()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = supervise(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
