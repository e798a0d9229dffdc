"""The verbs of the catalog: look models up, and locate their weights."""

from collections.abc import Sequence

from cupola.catalog.model import FoundWeights, Model, describe_mismatch
from cupola.catalog.ports import Entries, Shelf
from cupola.ids import ModelName
from cupola.kit.errors import NotFound, Unavailable


class Catalog:
    """The models that can be deployed."""

    def __init__(self, entries: Entries, shelf: Shelf) -> None:
        self._entries = entries
        self._shelf = shelf

    def list_models(self) -> Sequence[Model]:
        return self._entries.list()

    def get_model(self, name: str) -> Model:
        """Raises: NotFound, with the names there are."""
        model = self._entries.find(ModelName(name))
        if model is None:
            names = ", ".join(entry.name for entry in self._entries.list())
            raise NotFound(f"The catalog has no model {name!r}. It has: {names}.")
        return model

    def find_weights(self, model: Model) -> FoundWeights | None:
        """Where the weights lie, whole or not."""
        return self._shelf.find(model.weights)

    def get_weights(self, model: Model) -> FoundWeights:
        """Weights that may be loaded.

        The size is compared at every start because it costs nothing and shows a broken download;
        the checksum is `cupola doctor`'s, because it takes a second for each gigabyte.

        Raises:
            Unavailable: They are missing, or not whole.
        """
        found = self.find_weights(model)
        if found is None:
            raise Unavailable(f"The weights of {model.name} ({model.weights.file}) are missing.")
        if not found.own and (fault := describe_mismatch(model.weights, _size(found))):
            raise Unavailable(f"The weights of {model.name} are damaged: {fault}.")
        return found


def _size(found: FoundWeights) -> int:
    return found.path.stat().st_size
