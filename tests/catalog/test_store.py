from pathlib import Path

import msgspec
import pytest

from cupola.catalog.files import File, Format, FoundWeights, Quantisation, Weights
from cupola.catalog.store import SHIPPED_ENTRIES, EntryFiles, WeightFolders
from cupola.ids import ModelName

FILE = File("small.gguf", size=4, sha256="0" * 64)
WEIGHTS = Weights(Quantisation.F16, Format.GGUF, (FILE,))


def test_shipped_entries_can_be_read():
    """Every data file beside the code is a valid entry, and the included model is among them."""
    names = [model.name for model in EntryFiles().list()]

    assert names == sorted(names)
    assert "Cupola-Pilot" in names
    assert len(names) == len(list(SHIPPED_ENTRIES.glob("*.toml")))


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

    assert shelf.find(WEIGHTS) == FoundWeights(own / "small.gguf", own=True, file=FILE)
    (own / "small.gguf").unlink()
    assert shelf.find(WEIGHTS) == FoundWeights(shipped / "small.gguf", own=False, file=FILE)
    (shipped / "small.gguf").unlink()
    assert shelf.find(WEIGHTS) is None


def test_weights_in_parts_are_found_whole(tmp_path: Path):
    """An engine that is given the first part opens the others beside it."""
    files = (File("a-1.gguf"), File("a-2.gguf"))
    weights = Weights(Quantisation.Q8_0, Format.GGUF, files)
    shelf = WeightFolders(tmp_path, tmp_path / "shipped")
    (tmp_path / "a-1.gguf").touch()

    assert shelf.find(weights) is None
    (tmp_path / "a-2.gguf").touch()
    found = shelf.find(weights)
    assert found is not None
    assert tmp_path / "a-1.gguf" == found.path


def test_weights_without_named_files_are_nowhere():
    """They are a folder for another engine."""
    weights = Weights(Quantisation.BF16, Format.SAFETENSORS, repository="o/r")

    assert WeightFolders(SHIPPED_ENTRIES).find(weights) is None


def test_templates_are_found_by_name():
    """And nothing else can be read through a name."""
    entries = EntryFiles()

    assert "[INST]" in str(entries.find_template("mistral-v3"))
    assert entries.find_template("mistral-v9") is None
