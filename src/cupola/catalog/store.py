"""The catalog's files: entries as TOML beside this module, weights in two folders."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cupola.catalog.model import FoundWeights, Model, Weights
from cupola.ids import ModelName

SHIPPED_ENTRIES = Path(__file__).with_name("models")
SHIPPED_WEIGHTS = Path(__file__).with_name("weights")


class EntryFiles:
    """`Entries` read from a folder of TOML files, one model each, all at once."""

    def __init__(self, folder: Path = SHIPPED_ENTRIES) -> None:
        models = [_read(path) for path in folder.glob("*.toml")]
        self._models = {model.name: model for model in models}

    def find(self, name: ModelName) -> Model | None:
        return self._models.get(name)

    def list(self) -> Sequence[Model]:
        return [self._models[name] for name in sorted(self._models)]


class WeightFolders:
    """A `Shelf` of two folders: the home's own, then what came with Cupola.

    Own weights go first, so that whoever trains the included model further can serve the result
    without touching the installation.
    """

    def __init__(self, own: Path, shipped: Path = SHIPPED_WEIGHTS) -> None:
        self._own = own
        self._shipped = shipped

    def find(self, weights: Weights) -> FoundWeights | None:
        for folder, own in ((self._own, True), (self._shipped, False)):
            if (path := folder / weights.file).is_file():
                return FoundWeights(path=path, own=own)
        return None


def _read(path: Path) -> Model:
    """The entry in `path`; msgspec names the field that is missing or of a wrong type."""
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Model)
