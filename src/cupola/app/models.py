"""What a deployment's spec comes to on this machine: weights to load, an engine to load them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from cupola.app.state import State
from cupola.catalog.files import Absent, Downloading, FetchFailed, Ready
from cupola.catalog.model import Model, Task
from cupola.catalog.service import Catalog
from cupola.deployments.model import (
    WeightsAbsent,
    WeightsDownloading,
    WeightsFailed,
    WeightsReady,
    WeightsState,
)
from cupola.deployments.ports import Order, Survey
from cupola.deployments.situation import Cohort
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Replica
from cupola.engines.upstream.config import Upstream
from cupola.engines.upstream.replica import UpstreamReplica
from cupola.ids import ModelName, ReplicaId
from cupola.kit.errors import NotFound
from cupola.settings import Settings

_UNKNOWN_TEMPERATURE = 1.0
"""Said of an upstream that nobody knows the default of; never sent to it unasked."""
_UNKNOWN_CONTEXT = 131_072
"""Of an upstream that nobody knows the length of; it judges itself what is too long."""
_CLEARLY_SMALLER = 0.95
"""Of the size: a quantisation that saves less is no advice."""


class Weights:
    """The `WeightsSource` of an installation: its catalog's models, from its store."""

    def __init__(self, state: State) -> None:
        self._catalog = state.catalog
        self._store = state.weights

    def state(self, model: ModelName, quantisation: str | None) -> WeightsState:
        try:
            entry = self._catalog.get_model(model)
        except NotFound as error:
            return WeightsFailed(error.public)
        match self._store.state(entry, quantisation):
            case Ready(found, kind):
                return WeightsReady(found.path, kind, _find_time(found.path))
            case Downloading() as underway:
                return WeightsDownloading(underway.progress)
            case Absent(reason, fetchable):
                return WeightsAbsent() if fetchable else WeightsFailed(reason)
            case FetchFailed():
                return WeightsAbsent()  # whoever asks again keeps the reason, and the pause
            case never:
                assert_never(never)

    async def ensure(self, model: ModelName, quantisation: str | None) -> None:
        await self._store.ensure(self._catalog.get_model(model), quantisation)


class Engines:
    """The `EngineFactory` of this machine."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state

    def survey(self, cohort: Cohort, weights: Path | None) -> Survey:
        spec = cohort.spec
        order = Order(ReplicaId(""), "survey", cohort, weights)
        replica = self.make(order)
        if weights is None or not isinstance(replica, LlamaCppReplica):
            return Survey(replica.profile, self._settings.engine_slots, size=0, cache=0)
        catalog = self._state.catalog
        model = catalog.get_model(spec.model)
        slots = spec.slots or self._settings.engine_slots
        tokens = slots * replica.profile.context_length
        reckoned = model.architecture.cache_bytes(tokens) if model.architecture else 0
        size = weights.stat().st_size
        return Survey(
            profile=catalog.complete(replica.profile, model),
            slots=slots,
            size=size,
            cache=replica.cache_bytes or reckoned,
            smaller=_find_smaller(model, size),
        )

    def make(self, order: Order) -> Replica:
        spec, settings = order.cohort.spec, self._settings
        if order.weights is None:
            assert order.cohort.owner is not None  # upstreams are nobody else's
            upstream = self._state.upstreams[order.cohort.owner.endpoint]
            return UpstreamReplica(_complete(upstream, self._state.catalog), order.id)
        model = self._state.catalog.get_model(spec.model)
        return LlamaCppReplica(
            order.weights,
            self._state.home.run,
            slots=spec.slots or settings.engine_slots,
            context_length=_limit_context(spec.context_length or settings.engine_context, model),
            threads=order.cores or settings.threads_for(order.weights.stat().st_size),
            log_folder=self._state.home.logs,
            name=order.name,
            id=order.id,
        )


def find_process(replica: Replica) -> int | None:
    """The replica's process on this machine; None: it has none."""
    return replica.pid if isinstance(replica, LlamaCppReplica) else None


@dataclass(frozen=True, slots=True)
class Usual:
    """What callers are told of a model, whoever runs it."""

    publisher: str
    task: str
    temperature: float


def describe_model(state: State, name: ModelName, upstream: Upstream | None) -> Usual:
    """Of the model of a deployment, which may have left the catalog meanwhile."""
    if upstream is not None:
        temperature = upstream.default_temperature
        usual = _UNKNOWN_TEMPERATURE if temperature is None else temperature
        return Usual(_complete(upstream, state.catalog).publisher, Task.CHAT_COMPLETIONS, usual)
    try:
        model = state.catalog.get_model(name)
    except NotFound:  # its endpoint says so
        return Usual("", Task.CHAT_COMPLETIONS, _UNKNOWN_TEMPERATURE)
    return Usual(model.publisher, model.task, model.default_temperature)


def _find_time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # it went this very moment; the next look will say so
        return 0


def _limit_context(asked: int, model: Model) -> int | None:
    """Tokens of a slot; None: as the file says.

    llama.cpp attends beyond a sliding window, which the model was not trained to do: what it says
    there is not the model's (tests/proof), so the context ends with the window.
    """
    window = model.architecture.window if model.architecture else None
    return min(filter(None, (asked, window)), default=None)


def _find_smaller(model: Model, size: int) -> tuple[tuple[str, int], ...]:
    """Quantisations that take less than `size` bytes, the best of them first."""
    if model.parameters is None:
        return ()
    sizes = {each.quantisation: int(model.parameters * each.quantisation.bits / 8)
             for each in model.weights}  # fmt: skip
    fewer = [(name.value, few) for name, few in sizes.items() if few < _CLEARLY_SMALLER * size]
    return tuple(sorted(fewer, key=lambda each: -each[1]))


def _complete(upstream: Upstream, catalog: Catalog) -> Upstream:
    """With what the catalog knows of the model, where the file does not say it."""
    publisher, length = "", _UNKNOWN_CONTEXT
    try:
        model = catalog.get_model(upstream.model)
        publisher, length = model.publisher, model.context_length
    except NotFound:
        pass  # any model may stand behind an upstream
    return replace(
        upstream,
        publisher=upstream.publisher or publisher,
        context_length=upstream.context_length or length,
    )
