"""A short day with kills; `python -m tests.system.day --kills 200` is the long one."""

from pathlib import Path

from tests.system.day import live


def test_what_was_acknowledged_survives(home: Path):
    """Whenever the server is killed: no change is lost, none is half-made, no process is left."""
    said: list[str] = []
    day = live(home, seed=7, kills=6, say=said.append)

    assert 6 == len(said)
    assert day.done >= 2 * 6
