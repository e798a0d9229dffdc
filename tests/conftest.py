"""Fixtures for all tests. `running` is a real server with the included model, one for the run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cupola.catalog.store import SHIPPED_WEIGHTS
from tests.models import build_tiny_model
from tests.running import Running, cupola

__all__ = ["Running"]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Cupola that serves `pilot`; do not stop it, nor change its state."""
    home = tmp_path_factory.mktemp("running") / "home"
    supply_model(home)
    with cupola(home) as server:
        yield server.wait_ready()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that a server can start on, for one test."""
    folder = tmp_path / "home"
    supply_model(folder)
    return folder


def supply_model(home: Path) -> None:
    """Without shipped weights, a random model takes their place."""
    if not (SHIPPED_WEIGHTS / "Cupola-Pilot.gguf").exists():
        (home / "models").mkdir(parents=True)
        build_tiny_model(home / "models" / "Cupola-Pilot.gguf")
