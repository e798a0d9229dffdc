"""Servers of one's own, for tests that a shared server would not survive."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Running, cupola

ONE_THREAD = {"CUPOLA_ENGINE_THREADS": "1"}
"""An engine's threads spin while they wait for each other; on a busy machine, two are ten times
slower than one."""


@pytest.fixture
def own(home: Path) -> Iterator[Running]:
    """A server for one test, which may break it."""
    with cupola(home, settings=ONE_THREAD) as server:
        yield server.wait_ready()


@pytest.fixture
def hasty(home: Path) -> Iterator[Running]:
    """A server that gives a body one second to arrive."""
    with cupola(home, settings={**ONE_THREAD, "CUPOLA_BODY_TIMEOUT": "1"}) as server:
        yield server.wait_ready()
