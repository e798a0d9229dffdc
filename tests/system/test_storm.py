"""A short storm; `python -m tests.system.storm --kills 100` is the long one."""

from pathlib import Path

import pytest

from tests.postgresql import cluster
from tests.system.storm import Result, live

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="finds processes in /proc")

KILLS = 5
CALLERS = 6


def test_the_ledger_survives_killed_servers_and_engines(home: Path):
    """Of what callers saw nothing is lost, doubled or miscounted, and nothing is left over."""
    _expect_good(live(home, seed=4, kills=KILLS, say=print, callers=CALLERS))


def test_it_survives_a_killed_database(home: Path):
    """The same on PostgreSQL, which is killed too, once with the server while it is away."""
    with cluster() as database:
        result = live(home, seed=3, kills=KILLS, say=print, database=database, callers=CALLERS)

    _expect_good(result)
    assert result.kills["database"]


def _expect_good(result: Result) -> None:
    assert not result.findings.faults, "\n".join(result.write())
    assert result.kills.total() == KILLS
    assert result.findings.seen["seen complete"] > CALLERS
    for name in ("replica", "queue", "cached"):
        assert result.findings.filled[name], f"no record tells its {name}"
