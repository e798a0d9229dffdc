from pathlib import Path

import msgspec
import pytest

from cupola.catalog.model import FoundWeights, Weights
from cupola.catalog.store import SHIPPED_ENTRIES, EntryFiles, WeightFolders
from cupola.ids import ModelName

WEIGHTS = Weights("small.gguf", size=4, sha256="0" * 64)


def test_shipped_entries_can_be_read():
    """Every data file beside the code is a valid entry, and the included model is among them."""
    assert ["Cupola-Pilot"] == [model.name for model in EntryFiles().list()]


def test_entry_names_the_field_that_is_wrong(tmp_path: Path):
    """Who writes an entry learns what it lacks."""
    text = (SHIPPED_ENTRIES / "cupola-pilot.toml").read_text("utf-8")
    (tmp_path / "broken.toml").write_text(text.replace('task = "chat-completions"', 'task = "x"'))

    with pytest.raises(msgspec.ValidationError, match=r"\$\.task"):
        EntryFiles(tmp_path)


def test_unknown_name_is_none():
    """Names are compared exactly."""
    assert EntryFiles().find(ModelName("cupola-pilot")) is None


def test_own_weights_go_first(tmp_path: Path):
    """A file in the home's folder is served instead of the shipped one."""
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder in (own, shipped):
        folder.mkdir()
        (folder / "small.gguf").touch()
    shelf = WeightFolders(own, shipped)

    assert shelf.find(WEIGHTS) == FoundWeights(own / "small.gguf", own=True)
    (own / "small.gguf").unlink()
    assert shelf.find(WEIGHTS) == FoundWeights(shipped / "small.gguf", own=False)
    (shipped / "small.gguf").unlink()
    assert shelf.find(WEIGHTS) is None
