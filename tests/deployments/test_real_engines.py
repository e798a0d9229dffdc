"""The fleet with real engines: killed, rolled out under load, broken, put to sleep, restarted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cupola.app.fleet import open_fleet
from cupola.app.state import State, open_state
from cupola.catalog.files import File, Format, Quantisation, Ready, Weights
from cupola.catalog.memory import MemoryEntries
from cupola.catalog.service import Catalog
from cupola.catalog.store import EntryFiles, WeightFolders
from cupola.deployments.fleet import Fleet
from cupola.deployments.model import DeploymentState, Endpoint, Spec
from cupola.engines.port import Generation
from cupola.gateway.limits import Limits
from cupola.gateway.route import begin
from cupola.ids import ModelName
from cupola.kit.clock import SystemClock
from cupola.kit.errors import Stale
from cupola.settings import Settings
from cupola.wire.canonical import Failed, Finish
from tests.deployments.worlds import PILOT, managed, pool_of, serverless, status_of
from tests.models import build_tiny_model
from tests.patience import until
from tests.robustness.processes import children_of, command_of, is_running

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="finds processes in /proc")

TINY, BROKEN, CUT = ModelName("Tiny"), ModelName("Broken"), ModelName("Cut")
SMALL = Spec(TINY, slots=2, context_length=512)
LONGER = Spec(TINY, slots=2, context_length=1024)
HELLO = Generation(prompt=("<s>[INST] Hello[/INST]",), max_tokens=8, temperature=0.0)


@dataclass
class Place:
    """A home with models, and a fleet on it."""

    state: State
    fleet: Fleet
    others: frozenset[int] = field(default_factory=lambda: frozenset(_list_engines()))
    """Engines of other tests' servers, which go on meanwhile."""

    async def put(self, endpoint: Endpoint) -> None:
        """Store it, and wait until the fleet has read it."""
        await self.state.stores.endpoints.add(endpoint)
        await self._wait_for_revision(endpoint.deployments[0].revision)

    async def change(self, spec: Spec) -> None:
        """As a person who is told that it was changed meanwhile, and tries again."""
        while True:
            endpoint = await self.get()
            [old] = endpoint.deployments
            new = replace(old, spec=spec, revision=old.revision + 1)
            changed = replace(endpoint, deployments=(new,), version=endpoint.version + 1)
            with suppress(Stale):
                await self.state.stores.endpoints.save(changed)
                break
        await self._wait_for_revision(new.revision)

    async def _wait_for_revision(self, revision: int) -> None:
        """Or a later one: a broken spec may be gone again."""
        self.fleet.wake()
        await until(lambda: any(e.revision >= revision for e in self.fleet.describe(PILOT)))

    async def get(self) -> Endpoint:
        found = await self.state.stores.endpoints.find(PILOT)
        assert found is not None
        return found

    async def wait(self, state: DeploymentState) -> None:
        def holds() -> bool:
            status = status_of(self.fleet)
            return status.state is state and status.ready == status.wanted

        await until(holds)

    def engines(self) -> set[int]:
        return _list_engines() - self.others


def _list_engines() -> set[int]:
    return {pid for pid in children_of(os.getpid()) if "llamacpp" in command_of(pid)}


@dataclass
class Callers:
    """Several at a time, one request after the other, as long as the block runs."""

    place: Place
    endpoint: Endpoint
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def at_work(self, count: int = 4) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._ask(stopping))
            try:
                yield
            finally:
                stopping.set()

    async def _ask(self, stopping: asyncio.Event) -> None:
        pool = pool_of(self.place.fleet, self.endpoint)
        while not stopping.is_set():
            first, rest = await begin(pool, HELLO, SystemClock(), Limits())
            last = first
            async for event in rest:
                last = event
            if isinstance(last, Finish):
                self.answered += 1
            else:
                self.failed.append(str(last.error) if isinstance(last, Failed) else repr(last))


@asynccontextmanager
async def open_place(home: Path, **more: float) -> AsyncIterator[Place]:
    settings = Settings(home=home, engine_threads=1, scale_idle=more.get("idle", 300.0))
    clock = SystemClock()
    async with open_state(settings, clock) as state:
        state = replace(state, catalog=_make_catalog(home))
        fleet = await open_fleet(settings, state, clock, lambda: None)
        await fleet.prepare()
        place = Place(state, fleet)
        await fleet.start()
        try:
            yield place
        finally:
            await fleet.stop()


def _make_catalog(home: Path) -> Catalog:
    shipped = EntryFiles().list()[0]
    models = [
        replace(
            shipped,
            name=name,
            weights=(Weights(Quantisation.F32, Format.GGUF, (File(f"{name}.gguf"),)),),
            architecture=None,
        )
        for name in (TINY, BROKEN, CUT)
    ]
    return Catalog(MemoryEntries(*models), WeightFolders(home / "models"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With one good model, one that llama.cpp will not load, and one that is cut short."""
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    good = build_tiny_model(models / "Tiny.gguf").read_bytes()
    (models / "Broken.gguf").write_bytes(good.replace(b"output_norm.weight", b"output_morn.weight"))
    (models / "Cut.gguf").write_bytes(good[: len(good) // 2])
    return tmp_path / "home"


@pytest.fixture
async def place(home: Path) -> AsyncIterator[Place]:
    async with open_place(home) as place:
        yield place
    assert set() == place.engines()


async def test_killed_engine_is_back(place: Place) -> None:
    """kill -9 of one of two instances: the other stays, and its interval is another one's."""
    endpoint = managed(2, SMALL)
    await place.put(endpoint)
    await place.wait(DeploymentState.READY)
    victim, other = place.engines()
    os.kill(victim, signal.SIGKILL)
    pool = pool_of(place.fleet, endpoint)
    intervals = place.state.stores.intervals

    async def has_another() -> bool:
        return len(await intervals.list()) == 3 and len(pool.ready()) == 2

    await until(has_another)

    assert other in place.engines()
    assert victim not in place.engines()
    assert 1 == sum(each.ended is not None for each in await intervals.list())


async def test_roll_out_under_load_fails_no_request(place: Place) -> None:
    """Another context length on two instances: new engines take over while callers go on."""
    endpoint = managed(2, SMALL)
    await place.put(endpoint)
    await place.wait(DeploymentState.READY)
    before = place.engines()
    callers = Callers(place, endpoint)
    async with callers.at_work():
        await until(lambda: callers.answered > 20)
        await place.change(LONGER)
        await until(lambda: not before & place.engines())
        await place.wait(DeploymentState.READY)
        at_the_end = callers.answered
        await until(lambda: callers.answered > at_the_end + 20)

    assert [] == callers.failed
    assert 2 == len(place.engines())
    assert {1024} == {
        each.profile.context_length for each in pool_of(place.fleet, endpoint).ready()
    }
    assert LONGER == (await place.get()).deployments[0].stable


@pytest.mark.parametrize(
    ("model", "reason"),
    [(BROKEN, "3 times in a row. The engine ended"), (CUT, "Put a whole file in its place")],
)
async def test_broken_model_gives_way_to_the_one_before(
    place: Place, model: ModelName, reason: str
) -> None:
    """It returns by itself, says why, and nobody was turned away meanwhile."""
    endpoint = managed(1, SMALL)
    await place.put(endpoint)
    await place.wait(DeploymentState.READY)
    [engine] = place.engines()
    callers = Callers(place, endpoint)
    async with callers.at_work(2):
        await place.change(Spec(model))
        await until(lambda: 3 in [each.revision for each in place.fleet.describe(PILOT)])
        await place.wait(DeploymentState.READY)
    await until(lambda: {engine} == place.engines())
    [deployment] = (await place.get()).deployments

    assert SMALL == deployment.spec == deployment.stable
    assert reason in deployment.outcome
    [line, *_] = await place.state.audit.list()
    assert ("deployments.return", "cupola") == (line.action, line.actor)
    assert [] == callers.failed
    assert callers.answered > 0


async def test_from_zero_and_back(home: Path) -> None:
    """Asleep there is no process; a request wakes it and is answered."""
    endpoint = serverless(floor=0, ceiling=1, spec=SMALL)
    async with open_place(home, idle=1.0) as place:
        await place.put(endpoint)
        await place.wait(DeploymentState.SCALED_TO_ZERO)
        await until(lambda: set() == place.engines())
        first, rest = await begin(pool_of(place.fleet, endpoint), HELLO, SystemClock(), Limits())
        await rest.aclose()

        assert not isinstance(first, Failed)
        assert 1 == len(place.engines())
        await place.wait(DeploymentState.SCALED_TO_ZERO)


async def test_measured_memory_is_what_the_process_holds(place: Place) -> None:
    """The figure that the next fit goes by is the engine's own."""
    await place.put(managed(1, SMALL))
    await place.wait(DeploymentState.READY)
    [instance] = status_of(place.fleet).instances
    use = place.state.stores.memory_use
    weights = place.state.weights.state(place.state.catalog.get_model(TINY), None)
    assert isinstance(weights, Ready)
    await until(lambda: use.find(TINY, weights.quantisation, 2, 512))
    found = await use.find(TINY, weights.quantisation, 2, 512)

    assert instance.pid in place.engines()
    assert instance.memory is not None
    assert 10 * 1024**2 < (found or 0) < 1024**3
    assert is_running(instance.pid or 0)
