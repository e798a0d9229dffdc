"""Fixtures for all tests: a real server with the included model, and real databases."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cupola.catalog.store import SHIPPED_WEIGHTS
from cupola.db.database import Database
from cupola.db.engine import Location
from cupola.db.migration import ensure_schema
from tests.clients.table import write_table
from tests.models import build_tiny_model
from tests.postgresql import Cluster, cluster
from tests.redis_server import RedisServer, redis_server
from tests.running import Running, cupola
from tests.sqlite import make_database
from tests.timelapse import LoopClock, timelapse

__all__ = ["Running"]

# How long an example takes says more of the machine than of what is tested.
settings.register_profile(
    "any machine",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")


_LONG = (
    *("system", "clients", "proof", "robustness", "acceptance", "cli"),
    *("control", "contract", "deployments", "catalog", "engines"),
)
"""Folders whose files take long, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins early, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(file: Path) -> int:
    folder = file.relative_to(Path(__file__).parent).parts[0]
    return _LONG.index(folder) if folder in _LONG else len(_LONG)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The client matrix, as far as this run got to it."""
    write_table(terminalreporter)


@pytest.fixture
async def leaping() -> AsyncIterator[LoopClock]:
    """The clock of the test's own time: see `tests.timelapse`."""
    with timelapse() as clock:
        yield clock


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Cupola that serves `pilot`; do not stop it, nor change its state."""
    home = tmp_path_factory.mktemp("running") / "home"
    supply_model(home)
    with cupola(home) as server:
        yield server.wait_ready()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL server with a database `test1` of the newest schema, one for the run."""
    with cluster() as found:
        ensure_schema(found.create())
        yield found


@pytest.fixture
def empty_postgresql(postgresql: Cluster) -> Iterator[str]:
    """The URL of an empty database of the newest schema."""
    with postgresql.lent() as url:
        yield url


@pytest.fixture(scope="session")
def redis_of_the_run() -> Iterator[RedisServer]:
    """A Redis server, one for the run."""
    with redis_server() as found:
        yield found


@pytest.fixture
def redis(redis_of_the_run: RedisServer) -> RedisServer:
    """The same, empty."""
    redis_of_the_run.forget_all()
    return redis_of_the_run


@pytest.fixture
def redis_alone() -> Iterator[RedisServer]:
    """A Redis server for one test, which may stop it."""
    with redis_server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """A database of the newest schema, of each kind in turn."""
    return _make_database(request, tmp_path)


@pytest.fixture
async def database(location: Location) -> AsyncIterator[Database]:
    """The same, open."""
    async with _opened(location) as found:
        yield found


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def backing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database | None]:
    """What the stores of a contract suite stand on, of each kind in turn; None: memory."""
    if request.param == "memory":
        yield None
        return
    async with _opened(_make_database(request, tmp_path)) as found:
        yield found


def _make_database(request: pytest.FixtureRequest, folder: Path) -> Location:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("empty_postgresql")
        return url
    make_database(folder / "cupola.db")
    return folder / "cupola.db"


@asynccontextmanager
async def _opened(location: Location) -> AsyncIterator[Database]:
    database = Database(location)
    try:
        yield database
    finally:
        await database.close()


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
