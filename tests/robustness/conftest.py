"""Servers of one's own, for tests that a shared server would not survive."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Running, cupola


@pytest.fixture
def own(home: Path) -> Iterator[Running]:
    """A server for one test, which may break it."""
    with cupola(home) as server:
        yield server.wait_ready()


@pytest.fixture
def hasty(home: Path) -> Iterator[Running]:
    """A server that gives a body one second to arrive."""
    with cupola(home, settings={"CUPOLA_BODY_TIMEOUT": "1"}) as server:
        yield server.wait_ready()
