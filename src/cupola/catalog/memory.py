"""A catalog without files: the fakes that ship."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cupola.catalog.files import FoundWeights, Weights
from cupola.catalog.model import Model
from cupola.ids import ModelName

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
