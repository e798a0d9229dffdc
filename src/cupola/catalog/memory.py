"""A catalog without files: the fakes that ship."""

from collections.abc import Sequence

from cupola.catalog.model import FoundWeights, Model, Weights
from cupola.ids import ModelName


class MemoryEntries:
    """`Entries` given when it is made."""

    def __init__(self, *models: Model) -> None:
        self._models = {model.name: model for model in models}

    def find(self, name: ModelName) -> Model | None:
        return self._models.get(name)

    def list(self) -> Sequence[Model]:
        return [self._models[name] for name in sorted(self._models)]


class MemoryShelf:
    """A `Shelf` that knows where files lie because it was told."""

    def __init__(self, *found: FoundWeights) -> None:
        self._found = {weights.path.name: weights for weights in found}

    def find(self, weights: Weights) -> FoundWeights | None:
        return self._found.get(weights.file)
