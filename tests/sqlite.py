"""Databases in files for tests, as a first start makes them, without its work."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cupola.db.migration import ensure_ledger, ensure_schema


def make_database(file: Path) -> None:
    """A new one, of the newest schema."""
    file.write_bytes(_make(ensure_schema))


def make_ledger(file: Path) -> None:
    """The same for the ledger's file."""
    file.write_bytes(_make(ensure_ledger))


@cache
def _make(ensure: Callable[[Path], None]) -> bytes:
    """All migrations take some fifty times as long as a copy of what comes of them."""
    with tempfile.TemporaryDirectory() as folder:
        ensure(Path(folder) / "new.db")
        return (Path(folder) / "new.db").read_bytes()
