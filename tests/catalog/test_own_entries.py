"""Entries and files of one's own, on the disk."""

import errno
import os
import re
from pathlib import Path

import pytest

from cupola.catalog.memory import MemoryEntries
from cupola.catalog.store import OwnEntryFiles
from cupola.ids import ModelName
from cupola.kit.errors import Unavailable
from tests.catalog.test_service import MODEL
from tests.contract.test_own_entries import OWN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models.d"


def open_entries(folder: Path) -> OwnEntryFiles:
    return OwnEntryFiles(folder, folder.with_name("models"), MemoryEntries(MODEL))


def write(folder: Path, name: str, change: tuple[str, str]) -> None:
    """An entry as a person would change it by hand."""
    open_entries(folder).add(OWN)
    path = folder / "Own.toml"
    text = path.read_text("utf-8")
    assert change[0] in text
    path.unlink()
    (folder / name).write_text(text.replace(*change), "utf-8")


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("Own.toml", ("task = ", "tusk = "), r"Own\.toml cannot be read: .*`task`"),
        ("Own.toml", ("task = ", "task "), r"Own\.toml cannot be read"),
        ("Own.toml", ('name = "Own"', 'name = "Else"'), "both must be the same"),
        ("Own.toml", ("small.gguf", "../small.gguf"), "outside of the models folder"),
        ("Own.toml", ("gated =", 'repository = "../a"\ngated ='), "write OWNER/NAME"),
        ("Small.toml", ('name = "Own"', 'name = "Small"'), "came with Cupola"),
    ],
)
def test_bad_entry_is_left_out_and_told(
    folder: Path, name: str, change: tuple[str, str], fault: str
):
    """One slip of a pen does not keep the other models from being served."""
    write(folder, name, change)

    entries = open_entries(folder)

    (said,) = entries.faults()
    assert re.search(fault, said)
    assert [MODEL] == list(entries.list())


def test_files_are_linked_where_they_can_be(folder: Path, tmp_path: Path):
    """A link costs no room, and outlives the original's name."""
    original = tmp_path / "w.gguf"
    original.write_bytes(b"GGUF")
    open_entries(folder).take(OWN.name, [original])
    kept = tmp_path / "models" / "Own" / "w.gguf"

    assert kept.samefile(original)
    original.unlink()
    assert b"GGUF" == kept.read_bytes()


def test_files_are_copied_from_another_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where a link cannot be made."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    original = tmp_path / "w.gguf"
    original.write_bytes(b"GGUF")
    open_entries(folder).take(OWN.name, [original])
    kept = tmp_path / "models" / "Own" / "w.gguf"

    assert b"GGUF" == kept.read_bytes()
    assert not kept.samefile(original)


def test_half_kept_files_are_not_left(folder: Path, tmp_path: Path):
    """What fails half-way leaves nothing, and says why."""
    original = tmp_path / "w.gguf"
    original.write_bytes(b"GGUF")

    with pytest.raises(Unavailable, match=r"files of Own cannot be kept .*No such file"):
        open_entries(folder).take(OWN.name, [original, tmp_path / "absent.gguf"])
    assert not (tmp_path / "models" / "Own").exists()


@pytest.mark.parametrize("name", ["..", "", "a/b", "../models"])
def test_dropping_stays_in_its_place(folder: Path, tmp_path: Path, name: str):
    """No name deletes anything else."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").touch()

    open_entries(folder).drop(ModelName(name))

    assert (tmp_path / "models" / "mine.gguf").exists()
