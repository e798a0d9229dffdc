"""The catalog's files: entries and chat templates beside this module, weights in two folders."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cupola.catalog.files import FoundWeights, Weights
from cupola.catalog.model import Model
from cupola.ids import ModelName

SHIPPED_ENTRIES = Path(__file__).with_name("models")
SHIPPED_TEMPLATES = Path(__file__).with_name("templates")
SHIPPED_WEIGHTS = Path(__file__).with_name("weights")


class EntryFiles:
    """`Entries` read from a folder of TOML files, one model each, all at once."""

    def __init__(self, folder: Path = SHIPPED_ENTRIES, templates: Path = SHIPPED_TEMPLATES) -> None:
        models = [_read(path) for path in folder.glob("*.toml")]
        self._models = {model.name: model for model in models}
        self._templates = templates

    def find(self, name: ModelName) -> Model | None:
        return self._models.get(name)

    def list(self) -> Sequence[Model]:
        return [self._models[name] for name in sorted(self._models)]

    def find_template(self, name: str) -> str | None:
        path = self._templates / f"{name}.jinja"
        return path.read_text("utf-8") if path.is_file() else None


class WeightFolders:
    """A `Shelf` of two folders: the home's own, then what came with Cupola.

    Own weights go first, so that whoever trains the included model further can serve the result
    without touching the installation.
    """

    def __init__(self, own: Path, shipped: Path = SHIPPED_WEIGHTS) -> None:
        self._own = own
        self._shipped = shipped

    def find(self, weights: Weights) -> FoundWeights | None:
        if not weights.files:
            return None
        for folder, own in ((self._own, True), (self._shipped, False)):
            paths = [folder / file.name for file in weights.files]
            if all(path.is_file() for path in paths):
                return FoundWeights(path=paths[0], own=own, file=weights.files[0])
        return None


def _read(path: Path) -> Model:
    """The entry in `path`; msgspec names the field that is missing or of a wrong type."""
    entry = tomllib.loads(path.read_text("utf-8"))
    return msgspec.convert(entry, Model, strict=True)
