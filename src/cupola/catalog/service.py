"""The verbs of the catalog: look models up, locate their weights, add and remove one's own."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cupola.catalog.choice import Refusal, choose_weights
from cupola.catalog.files import Format, FoundWeights, Weights, describe_mismatch
from cupola.catalog.introduce import (
    NOTHING_TOLD,
    Found,
    Told,
    check_name,
    introduce,
    read_repository,
)
from cupola.catalog.local_models import read_local_gguf, read_local_safetensors
from cupola.catalog.model import Model
from cupola.catalog.ports import Entries, Hub, OwnEntries, Shelf
from cupola.catalog.search import ModelFilter, search
from cupola.engines.port import Profile
from cupola.ids import ModelName
from cupola.kit.errors import Invalid, NotFound, Unavailable


class Catalog:
    """The models that can be deployed.

    Without `own` and `hub` nothing can be added.
    """

    def __init__(
        self, entries: Entries, shelf: Shelf, own: OwnEntries | None = None, hub: Hub | None = None
    ) -> None:
        self._entries = own or entries
        self._shelf = shelf
        self._own = own
        self._hub = hub

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

    def search(self, wanted: ModelFilter) -> Sequence[Model]:
        """The models that match, sorted by name."""
        return search(self._entries.list(), wanted)

    def find_weights(self, model: Model, quantisation: str | None = None) -> FoundWeights | None:
        """Where the weights for `llamacpp` lie, whole or not; the preferred ones if several do."""
        weights = self.choose_weights(model, quantisation, None)
        return None if isinstance(weights, Refusal) else self._shelf.find(weights)

    def choose_weights(
        self, model: Model, quantisation: str | None, free_memory: int | None
    ) -> Weights | Refusal:
        """Which weights `llamacpp` should run, here or to be fetched (`catalog.choice`)."""
        present = [each for each in model.weights if self._shelf.find(each)]
        return choose_weights(model, quantisation, free_memory, present)

    def list_wanted(self, wanted: Iterable[tuple[str, str | None]]) -> frozenset[Weights]:
        """Weights that must not be collected as garbage, because deployments run or may run them.

        Args:
            wanted: Names of models, each with a quantisation; None: whichever of the model's.
        """
        asked = list(wanted)
        return frozenset(
            weights
            for model in self._entries.list()
            for name, quantisation in asked
            if name == model.name
            for weights in model.weights
            if quantisation in (None, weights.quantisation)
        )

    def get_weights(self, model: Model, quantisation: str | None = None) -> FoundWeights:
        """Weights that can be loaded: here, and of the size the entry gives.

        Raises:
            Unavailable: They are not here, or not whole.
        """
        found = self.find_weights(model, quantisation)
        if found is None:
            raise Unavailable(_describe_absence(model))
        if not found.own and (fault := describe_mismatch(found.file, _size(found))):
            raise Unavailable(f"The weights of {model.name} are damaged: {fault}.")
        return found

    async def add_local(
        self, path: Path, name: str, told: Told = NOTHING_TOLD, *, shadow: bool = False
    ) -> Model:
        """Add the GGUF file, or the folder of safetensors, at `path`.

        The files are linked into the home (copied from another disk) and checked first.

        Raises:
            Invalid: They are no such model, or damaged; or the name cannot be one.
            Conflict: The name is taken.
        """
        own, checked = self._require_own(), check_name(name)
        found, files = await asyncio.to_thread(_read_local, path)
        model = introduce(checked, found, told)
        own.check(checked, shadow=shadow)  # before the files, so that a taken name costs no copy
        kept = await asyncio.to_thread(own.take, checked, files)
        weights = tuple(replace(each, files=kept) for each in model.weights)
        model = replace(model, weights=weights)
        own.add(model, shadow=shadow)
        return model

    async def add_repository(
        self,
        repository: str,
        name: str,
        told: Told = NOTHING_TOLD,
        *,
        revision: str | None = None,
        shadow: bool = False,
    ) -> Model:
        """Add a hub's repository; its weights are fetched when a deployment wants them.

        Raises:
            Invalid: It has no weights that are taken, or the name cannot be one.
            Conflict: The name is taken.
            Unavailable: The hub cannot be asked, or does not know it.
        """
        own, checked = self._require_own(), check_name(name)
        if self._hub is None:
            raise Unavailable("This catalog knows no hub.")
        described = await self._hub.describe(repository, revision)
        model = introduce(checked, read_repository(repository, described), told)
        own.add(model, shadow=shadow)
        return model

    def remove(self, name: str) -> Model:
        """Remove an entry of one's own, and the files that adding it kept in the home.

        Raises:
            NotFound: There is none.
            Invalid: The entry came with Cupola.
        """
        own = self._require_own()
        removed = own.remove(ModelName(name))
        if removed is None:
            model = self.get_model(name)
            raise Invalid(f"{model.name} came with Cupola, and cannot be removed.")
        own.drop(removed.name)
        return removed

    def list_faults(self) -> Sequence[str]:
        """What is wrong with entries of one's own, in sentences; such entries are left out."""
        return self._own.faults() if self._own else ()

    def _require_own(self) -> OwnEntries:
        if self._own is None:
            raise Unavailable("This catalog cannot be added to.")
        return self._own


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


def _read_local(path: Path) -> tuple[Found, Sequence[Path]]:
    if path.is_dir():
        return read_local_safetensors(path)
    return read_local_gguf(path)


def _size(found: FoundWeights) -> int:
    return found.path.stat().st_size
