"""Every `OwnEntries` keeps these promises."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cupola.catalog.memory import MemoryEntries, MemoryOwnEntries
from cupola.catalog.ports import OwnEntries
from cupola.catalog.store import OwnEntryFiles
from cupola.ids import ModelName
from cupola.kit.errors import Conflict
from tests.catalog.test_service import MODEL

OWN = replace(MODEL, name=ModelName("Own"), summary='Says "hello",\nthen\t\x7f stops \\ here é.')
Open = Callable[[], OwnEntries]


@pytest.fixture(params=["memory", "files"])
def open_entries(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same place each time."""
    memory = MemoryOwnEntries(MODEL)
    folder, weights = tmp_path / "models.d", tmp_path / "models"
    files = lambda: OwnEntryFiles(folder, weights, MemoryEntries(MODEL))  # noqa: E731
    return files if request.param == "files" else lambda: memory


def test_added_entry_is_found(open_entries: Open):
    """At once, and by whoever opens the place later, beside the shipped ones."""
    open_entries().add(OWN)

    for entries in (open_entries(), open_entries()):
        assert OWN == entries.find(OWN.name)
        assert [OWN, MODEL] == list(entries.list())
    assert [] == list(open_entries().faults())


@pytest.mark.parametrize("name", ["Own", "OWN", "Small", "small"])
def test_taken_name_is_refused(open_entries: Open, name: str):
    """Also where only the case differs: some file systems know no case."""
    entries = open_entries()
    entries.add(OWN)

    for refuse in (entries.check, lambda name: entries.add(replace(OWN, name=name))):
        with pytest.raises(Conflict, match="Choose another name"):
            refuse(ModelName(name))


def test_shipped_entry_is_shadowed_only_if_asked(open_entries: Open):
    """And comes back when the own one goes."""
    mine = replace(MODEL, publisher="Me")
    with pytest.raises(Conflict):
        open_entries().add(mine)

    open_entries().add(mine, shadow=True)
    assert mine == open_entries().find(MODEL.name)
    with pytest.raises(Conflict):
        open_entries().add(mine, shadow=True)
    assert mine == open_entries().remove(MODEL.name)
    assert MODEL == open_entries().find(MODEL.name)


def test_removed_entry_is_gone(open_entries: Open):
    """What came with Cupola cannot be removed."""
    open_entries().add(OWN)

    assert OWN == open_entries().remove(OWN.name)
    assert open_entries().remove(OWN.name) is None
    assert open_entries().remove(MODEL.name) is None
    assert [MODEL] == list(open_entries().list())


def test_files_are_kept_and_dropped(open_entries: Open, tmp_path: Path):
    """Under names of their own; the originals are left alone."""
    original = tmp_path / "w.gguf"
    original.write_bytes(b"GGUF")
    entries = open_entries()

    (file,) = entries.take(OWN.name, [original])
    assert ("Own/w.gguf", 4) == (file.name, file.size)
    with pytest.raises(Conflict):
        entries.take(OWN.name, [original])
    entries.drop(OWN.name)
    entries.take(OWN.name, [original])
    assert b"GGUF" == original.read_bytes()
