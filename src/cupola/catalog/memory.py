"""A catalog without files, and weights without a hub: the fakes that ship."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from cupola.catalog.choice import Refusal, choose_weights
from cupola.catalog.fetch_events import Described
from cupola.catalog.files import (
    Absent,
    Downloading,
    FetchFailed,
    File,
    FoundWeights,
    Garbage,
    Ready,
    Weights,
    WeightsState,
)
from cupola.catalog.model import Model
from cupola.ids import ModelName
from cupola.kit.errors import Conflict, Unavailable

_NO_TEMPLATES: Mapping[str, str] = MappingProxyType({})


class MemoryEntries:
    """`Entries` given when it is made."""

    def __init__(self, *models: Model, templates: Mapping[str, str] = _NO_TEMPLATES) -> None:
        self._models = {model.name: model for model in models}
        self._templates = templates

    def find(self, name: ModelName) -> Model | None:
        return self._models.get(name)

    def list(self) -> Sequence[Model]:
        return [self._models[name] for name in sorted(self._models)]

    def find_template(self, name: str) -> str | None:
        return self._templates.get(name)


class MemoryShelf:
    """A `Shelf` that knows where files lie because it was told."""

    def __init__(self, *found: FoundWeights) -> None:
        self._found = {weights.path.name: weights for weights in found}

    def find(self, weights: Weights) -> FoundWeights | None:
        found = [self._found.get(file.name) for file in weights.files]
        return found[0] if found and all(found) else None


class MemoryOwnEntries(MemoryEntries):
    """`OwnEntries` over given ones; of files it keeps the names and sizes."""

    def __init__(self, *shipped: Model) -> None:
        super().__init__(*shipped)
        self._shipped = dict(self._models)
        self._own: dict[ModelName, Model] = {}
        self._taken: set[ModelName] = set()

    def check(self, name: ModelName, *, shadow: bool = False) -> None:
        for taken in self._models:
            gives_way = shadow and taken == name and taken not in self._own
            if taken.casefold() == name.casefold() and not gives_way:
                raise Conflict(f"There is a model {taken!r} already. Choose another name.")

    def add(self, model: Model, *, shadow: bool = False) -> None:
        self.check(model.name, shadow=shadow)
        self._own[model.name] = self._models[model.name] = model

    def remove(self, name: ModelName) -> Model | None:
        model = self._own.pop(name, None)
        if model is not None:
            del self._models[name]
            if name in self._shipped:
                self._models[name] = self._shipped[name]
        return model

    def take(self, name: ModelName, paths: Sequence[Path]) -> tuple[File, ...]:
        if name in self._taken:
            raise Conflict(f"There are files of {name!r} already. Choose another name.")
        self._taken.add(name)
        return tuple(File(f"{name}/{path.name}", path.stat().st_size) for path in paths)

    def drop(self, name: ModelName) -> None:
        self._taken.discard(name)

    def faults(self) -> Sequence[str]:
        return ()


class MemoryWeightStore:
    """A `WeightStore` whose hub is a dictionary: of each repository the weights that it has.

    A download ends at once, but not between `hold` and `release`, so that a test can look at it.
    """

    def __init__(self, published: Mapping[str, FoundWeights], *here: Weights) -> None:
        self._published = published
        self._here: dict[Weights, FoundWeights] = {each: _invent(each) for each in here}
        self._fetched: set[Weights] = set()
        self._failed: dict[Weights, str] = {}
        self._under_way: dict[Weights, asyncio.Event] = {}
        self._waiting: dict[Weights, int] = {}
        self._held = False
        self.fetches = 0
        """How many downloads were begun."""

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def hold(self) -> None:
        """No download ends from now on."""
        self._held = True

    def release(self) -> None:
        """Let downloads end again, those under way too."""
        self._held = False
        for ended in self._under_way.values():
            ended.set()

    def state(self, model: Model, quantisation: str | None = None) -> WeightsState:
        weights = choose_weights(model, quantisation, None, self._here)
        if isinstance(weights, Refusal):
            return Absent(weights.reason)
        if found := self._here.get(weights):
            return Ready(found, weights.quantisation)
        if weights in self._under_way:
            return Downloading(0, None)
        if reason := self._failed.get(weights):
            return FetchFailed(reason)
        return Absent(f"The weights of {model.name} are not here.", weights.repository is not None)

    async def ensure(self, model: Model, quantisation: str | None = None) -> FoundWeights:
        weights = choose_weights(model, quantisation, None, self._here)
        if isinstance(weights, Refusal):
            raise Unavailable(weights.reason)
        if weights not in self._here:
            if weights.repository is None:
                raise Unavailable(f"The weights of {model.name} are nowhere to be fetched from.")
            await self._fetch(weights)
        if found := self._here.get(weights):
            return found
        raise Unavailable(self._failed.get(weights) or "The download was cancelled.")

    async def cancel(self, model: Model, quantisation: str | None = None) -> bool:
        weights = choose_weights(model, quantisation, None, self._here)
        if isinstance(weights, Refusal) or weights not in self._under_way:
            return False
        self._under_way.pop(weights).set()
        return True

    async def close(self) -> None:
        for weights in list(self._under_way):
            self._under_way.pop(weights).set()

    def collect_garbage(
        self, keep: Collection[Weights], *, dry_run: bool = False
    ) -> Sequence[Garbage]:
        unwanted = [weights for weights in self._fetched if weights not in keep]
        if not dry_run:
            for weights in unwanted:
                self._fetched.discard(weights)
                del self._here[weights]
        return [Garbage(weights.describe(), 1) for weights in unwanted]

    async def _fetch(self, weights: Weights) -> None:
        if weights not in self._under_way:
            self.fetches += 1
            self._failed.pop(weights, None)
            self._under_way[weights] = asyncio.Event()
        ended = self._under_way[weights]
        if not self._held:
            ended.set()
        self._waiting[weights] = self._waiting.get(weights, 0) + 1
        try:
            await ended.wait()
        finally:
            self._waiting[weights] -= 1
            if not self._waiting[weights] and not ended.is_set():
                self._under_way.pop(weights, None)
        if self._under_way.pop(weights, None):
            self._end(weights)

    def _end(self, weights: Weights) -> None:
        if found := self._published.get(str(weights.repository)):
            self._here[weights] = found
            self._fetched.add(weights)
        else:
            self._failed[weights] = f"There is no repository {weights.repository}. Check the name."


class MemoryHub:
    """A `Hub` that knows what it was told."""

    def __init__(self, repositories: Mapping[str, Described]) -> None:
        self._repositories = repositories

    async def describe(self, repository: str, revision: str | None = None) -> Described:
        if described := self._repositories.get(repository):
            return described
        raise Unavailable(f"There is no repository {repository}. Check the name.")


class MemoryDisk:
    """A disk with as much room as it is told."""

    def __init__(self, room: int) -> None:
        self.room = room

    def free(self, folder: Path) -> int:
        return self.room


def _invent(weights: Weights) -> FoundWeights:
    """Weights that are said to be here; no file is."""
    file = weights.files[0] if weights.files else File("model.safetensors")
    return FoundWeights(Path("/nowhere") / file.name, own=True, file=file)
