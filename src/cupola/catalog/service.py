"""The verbs of the catalog: look models up, and locate their weights."""

from collections.abc import Sequence
from dataclasses import replace

from cupola.catalog.files import Format, FoundWeights, describe_mismatch
from cupola.catalog.model import Model
from cupola.catalog.ports import Entries, Shelf
from cupola.engines.port import Profile
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

    def complete(self, profile: Profile, model: Model) -> Profile:
        """`profile` with the catalog's chat template, if the model's file has none.

        The file's own wins, because it came with these very weights.

        Raises:
            Unavailable: The entry names a template that is not there.
        """
        if profile.chat_template or model.chat_template is None:
            return profile
        template = self._entries.find_template(model.chat_template)
        if template is None:
            raise Unavailable(
                f"The chat template of {model.name} ({model.chat_template}) is missing."
            )
        return replace(profile, chat_template=template)

    def find_weights(self, model: Model) -> FoundWeights | None:
        """Where the weights for `llamacpp` lie, whole or not; the preferred ones if several do."""
        for weights in model.weights:
            if weights.format is Format.GGUF and (found := self._shelf.find(weights)):
                return found
        return None

    def get_weights(self, model: Model) -> FoundWeights:
        """Weights that may be loaded.

        The size is compared at every start because it costs nothing and shows a broken download;
        the checksum is `cupola doctor`'s, because it takes a second for each gigabyte.

        Raises:
            Unavailable: They are not here, or not whole.
        """
        found = self.find_weights(model)
        if found is None:
            raise Unavailable(_describe_absence(model))
        if not found.own and (fault := describe_mismatch(found.file, _size(found))):
            raise Unavailable(f"The weights of {model.name} are damaged: {fault}.")
        return found


def _describe_absence(model: Model) -> str:
    names = [w.describe() for w in model.weights if w.format is Format.GGUF]
    if names:
        return (
            f"The weights of {model.name} are not on this machine. Put one of these into the "
            f"home's models folder: {', '.join(names)}."
        )
    if model.weights:
        return f"{model.name} has no weights that llama.cpp could run."
    return f"The weights of {model.name} are closed: only its publisher can run it."


def _size(found: FoundWeights) -> int:
    return found.path.stat().st_size
