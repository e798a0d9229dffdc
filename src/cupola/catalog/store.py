"""The catalog's files: entries and chat templates beside this module, own ones in the home."""

import hashlib
import logging
import os
import re
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from cupola.catalog.files import File, FoundWeights, Weights, is_safe_name
from cupola.catalog.introduce import NAME
from cupola.catalog.layout import find_whole, name_folder
from cupola.catalog.model import Model
from cupola.catalog.ports import Entries
from cupola.catalog.toml_text import write_toml
from cupola.ids import ModelName
from cupola.kit.errors import Conflict, Unavailable

SHIPPED_ENTRIES = Path(__file__).with_name("models")
SHIPPED_TEMPLATES = Path(__file__).with_name("templates")
SHIPPED_WEIGHTS = Path(__file__).with_name("weights")
SHADOWS: Final = "replaces_shipped"
"""The key of an own entry that goes before one that came with Cupola."""

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

_log = logging.getLogger(__name__)


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


class OwnEntryFiles:
    """`OwnEntries` in the home: TOML files like the shipped ones, and folders of weights.

    A file that cannot be read is left out and told of, because one slip of a pen must not keep
    every other model from being served.
    """

    def __init__(self, folder: Path, weights: Path, shipped: Entries) -> None:
        self._folder = folder
        self._weights = weights
        self._shipped = shipped
        self._own: dict[ModelName, Model] = {}
        self._faults: list[str] = []
        for path in sorted(folder.glob("*.toml")):
            if fault := self._load(path):
                _log.warning("%s", fault)
                self._faults.append(fault)

    def find(self, name: ModelName) -> Model | None:
        return self._own.get(name) or self._shipped.find(name)

    def list(self) -> Sequence[Model]:
        models = {model.name: model for model in self._shipped.list()} | self._own
        return [models[name] for name in sorted(models)]

    def find_template(self, name: str) -> str | None:
        return self._shipped.find_template(name)

    def check(self, name: ModelName, *, shadow: bool = False) -> None:
        folded = name.casefold()
        for taken in self._own:
            if taken.casefold() == folded:
                raise Conflict(f"There is a model {taken!r} already. Choose another name.")
        for model in self._shipped.list():
            same = model.name == name
            if model.name.casefold() == folded and not (shadow and same):
                raise Conflict(
                    f"{model.name!r} is a model that came with Cupola. Choose another name, or ask "
                    "for it to be replaced."
                )

    def add(self, model: Model, *, shadow: bool = False) -> None:
        self.check(model.name, shadow=shadow)
        entry: dict[str, Any] = {SHADOWS: True} if shadow else {}
        entry |= msgspec.to_builtins(model)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{model.name}.toml.{os.getpid()}"
        draft.write_text(write_toml(entry), "utf-8")
        draft.replace(self._folder / f"{model.name}.toml")
        self._own[model.name] = model

    def remove(self, name: ModelName) -> Model | None:
        model = self._own.pop(name, None)
        if model is not None:
            (self._folder / f"{name}.toml").unlink(missing_ok=True)
        return model

    def take(self, name: ModelName, paths: Sequence[Path]) -> tuple[File, ...]:
        folder = self._weights / name
        if folder.exists():
            raise Conflict(
                f"The home's models folder has a folder {name!r} already. Choose another name, or "
                "move that folder away."
            )
        try:
            folder.mkdir(mode=0o700, parents=True)
            return tuple(self._take(path, folder / path.name) for path in paths)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise Unavailable(
                f"The files of {name} cannot be kept in the home: {error.strerror or error}."
            ) from error

    def drop(self, name: ModelName) -> None:
        if NAME.fullmatch(name):
            shutil.rmtree(self._weights / name, ignore_errors=True)

    def faults(self) -> Sequence[str]:
        return tuple(self._faults)

    def _take(self, source: Path, target: Path) -> File:
        """A second name of the same file where the disk is the same, else a copy.

        A link takes no room and no time, and the file stays when its first name is deleted. It is
        one file all the same: who writes into it changes what is served. A symbolic link would
        break when the original is moved, so none is made.
        """
        source = source.resolve()
        try:
            target.hardlink_to(source)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(source, target)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = str(target.relative_to(self._weights))
        return File(name, target.stat().st_size, digest)

    def _load(self, path: Path) -> str | None:
        """Read one entry; why it is left out, or None."""
        try:
            entry = tomllib.loads(path.read_text("utf-8"))
            shadow = entry.pop(SHADOWS, False)
            model = msgspec.convert(entry, Model, strict=True)
        except (OSError, ValueError) as error:  # msgspec's and tomllib's are ValueErrors
            return f"The entry {path.name} cannot be read: {error}. Mend it, or delete it."
        if not NAME.fullmatch(model.name) or path.name != f"{model.name}.toml":
            return f"The entry {path.name} calls its model {model.name!r}: both must be the same."
        names = [file.name for weights in model.weights for file in weights.files]
        if not all(map(is_safe_name, names)):
            return f"The entry {path.name} names files outside of the models folder."
        places = [weights.repository for weights in model.weights if weights.repository]
        if bad := [place for place in places if not _REPOSITORY.fullmatch(place)]:
            return f"The entry {path.name} names the repository {bad[0]!r}: write OWNER/NAME."
        if not shadow and self._shipped.find(model.name):
            return (
                f"The entry {path.name} has the name of a model that came with Cupola. Rename it, "
                f"or write `{SHADOWS} = true` into it."
            )
        self._own[model.name] = model
        return None


class SystemDisk:
    """The machine's disks."""

    def free(self, folder: Path) -> int:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        return shutil.disk_usage(existing).free


class WeightFolders:
    """A `Shelf` of folders: the home's own, what came with Cupola, and what was fetched.

    Own weights go first, so that whoever trains the included model further can serve the result
    without touching the installation.
    """

    def __init__(
        self, own: Path, shipped: Path = SHIPPED_WEIGHTS, fetched: Path | None = None
    ) -> None:
        self._own = own
        self._shipped = shipped
        self._fetched = fetched

    def find(self, weights: Weights) -> FoundWeights | None:
        found = self._find_named(weights) if weights.files else None
        if found is None and self._fetched is not None and weights.repository is not None:
            found = find_whole(self._fetched / name_folder(weights))
        return found

    def _find_named(self, weights: Weights) -> FoundWeights | None:
        for folder, own in ((self._own, True), (self._shipped, False)):
            paths = [folder / file.name for file in weights.files]
            if all(path.is_file() for path in paths):
                return FoundWeights(path=paths[0], own=own, file=weights.files[0])
        return None


def _read(path: Path) -> Model:
    """The entry in `path`; msgspec names the field that is missing or of a wrong type."""
    entry = tomllib.loads(path.read_text("utf-8"))
    return msgspec.convert(entry, Model, strict=True)
