"""Every `WeightStore` keeps these promises."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cupola.catalog.downloads import HubAccess, HubWeightStore
from cupola.catalog.files import (
    Absent,
    Downloading,
    FetchFailed,
    File,
    Format,
    FoundWeights,
    Quantisation,
    Ready,
    Weights,
)
from cupola.catalog.memory import MemoryWeightStore
from cupola.catalog.ports import WeightStore
from cupola.catalog.store import SystemDisk, WeightFolders
from cupola.kit.errors import Unavailable
from tests.catalog.hub import Hub, Repository, running_hub
from tests.catalog.test_service import MODEL
from tests.models import build_tiny_model
from tests.patience import PATIENCE, until


def published(repository: str | None, quantisation: Quantisation = Quantisation.F16) -> Weights:
    return Weights(quantisation, Format.GGUF, (File(f"{quantisation}.gguf"),), repository)


WANTED = replace(
    MODEL, weights=(published("people/tiny"), published("people/tiny", Quantisation.Q8_0))
)
LOST = replace(MODEL, weights=(published("people/none"),))
UNPUBLISHED = replace(MODEL, weights=(published(None),))


@dataclass
class Stage:
    """A store whose hub has `people/tiny`, and what lets a test look while a download runs."""

    store: WeightStore
    hold: Callable[[], None]
    """Downloads do not end from now on."""
    release: Callable[[], None]
    """They do again, those under way too."""
    fetches: Callable[[], int]
    """How many were begun, of weights that are published."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    data = build_tiny_model(tmp_path / "tiny.gguf").read_bytes()
    with running_hub() as hub:
        hub.repositories["people/tiny"] = Repository({"F16.gguf": data, "Q8_0.gguf": data})
        yield hub


@pytest.fixture(params=["memory", "hub"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path, hub: Hub) -> AsyncIterator[Stage]:
    stage = _in_memory() if request.param == "memory" else _with_hub(hub, tmp_path)
    yield stage
    await stage.store.close()


def _in_memory() -> Stage:
    found = FoundWeights(Path("F16.gguf"), own=False, file=File("F16.gguf"))
    store = MemoryWeightStore({"people/tiny": found})
    return Stage(store, store.hold, store.release, lambda: store.fetches)


def _with_hub(hub: Hub, tmp_path: Path) -> Stage:
    folder = tmp_path / "weights"
    shelf = WeightFolders(tmp_path / "own", tmp_path / "none", folder)
    access = HubAccess(endpoint=hub.url, pause=0.01, patience=PATIENCE)
    store = HubWeightStore(folder, shelf, access, SystemDisk())

    def hold() -> None:
        hub.granted = 1

    def release() -> None:
        hub.granted = None

    return Stage(store, hold, release, lambda: hub.count("GET /cdn/"))


async def under_way(stage: Stage) -> None:
    await until(lambda: isinstance(stage.store.state(WANTED), Downloading))


async def test_what_is_asked_for_comes(stage: Stage):
    """And is ready from then on, in the preferred quantisation if none was named."""
    before = stage.store.state(WANTED)

    found = await stage.store.ensure(WANTED)

    assert isinstance(before, Absent)
    assert before.fetchable
    assert Ready(found, Quantisation.F16) == stage.store.state(WANTED)
    assert found == await stage.store.ensure(WANTED)
    assert 1 == stage.fetches()


async def test_each_quantisation_is_asked_for_by_name(stage: Stage):
    """One may be here without the other; without a name, the one that is here is meant."""
    await stage.store.ensure(WANTED, "Q8_0")

    assert isinstance(stage.store.state(WANTED, "Q8_0"), Ready)
    assert isinstance(stage.store.state(WANTED, "F16"), Absent)
    state = stage.store.state(WANTED)
    assert isinstance(state, Ready)
    assert Quantisation.Q8_0 == state.quantisation


async def test_unknown_quantisation_is_refused(stage: Stage):
    """With those there are."""
    assert isinstance(state := stage.store.state(WANTED, "Q2_K"), Absent)
    assert "It has: F16, Q8_0." in state.reason
    assert not state.fetchable
    with pytest.raises(Unavailable, match="It has: F16, Q8_0"):
        await stage.store.ensure(WANTED, "Q2_K")


async def test_many_askers_fetch_once(stage: Stage):
    """All get the same."""
    found = await asyncio.gather(*(stage.store.ensure(WANTED) for _ in range(5)))

    assert 1 == len(set(found))
    assert 1 == stage.fetches()


async def test_failure_has_a_reason(stage: Stage):
    """The state keeps it, and asking again is a new attempt."""
    for _ in range(2):
        with pytest.raises(Unavailable, match="no repository people/none"):
            await stage.store.ensure(LOST)
        state = stage.store.state(LOST)
        assert isinstance(state, FetchFailed)
        assert "no repository people/none" in state.reason


async def test_unpublished_weights_cannot_be_fetched(stage: Stage):
    """They have to be brought by somebody."""
    state = stage.store.state(UNPUBLISHED)

    assert isinstance(state, Absent)
    assert not state.fetchable
    with pytest.raises(Unavailable, match="nowhere to be fetched from"):
        await stage.store.ensure(UNPUBLISHED)


async def test_cancelling_tells_those_who_wait(stage: Stage):
    """It says whether there was something to cancel; asking again fetches."""
    stage.hold()
    asking = asyncio.ensure_future(stage.store.ensure(WANTED))
    await under_way(stage)
    assert 1 == stage.store.under_way

    assert await stage.store.cancel(WANTED)
    with pytest.raises(Unavailable, match="cancelled"):
        await asking
    assert not await stage.store.cancel(WANTED)
    assert 0 == stage.store.under_way
    assert isinstance(stage.store.state(WANTED), Absent)
    stage.release()
    await stage.store.ensure(WANTED)


async def test_last_asker_who_leaves_ends_the_download(stage: Stage):
    """The one before does not."""
    stage.hold()
    first, second = (asyncio.ensure_future(stage.store.ensure(WANTED)) for _ in range(2))
    await under_way(stage)

    first.cancel()
    await asyncio.wait([first])
    assert isinstance(stage.store.state(WANTED), Downloading)
    second.cancel()
    await asyncio.wait([second])
    assert isinstance(stage.store.state(WANTED), Absent)


async def test_garbage_is_collected(stage: Stage):
    """What is kept stays, a dry run only tells, and the second run finds nothing."""
    await stage.store.ensure(WANTED, "F16")
    await stage.store.ensure(WANTED, "Q8_0")
    keep = WANTED.weights[:1]

    told = stage.store.collect_garbage(keep, dry_run=True)
    assert isinstance(stage.store.state(WANTED, "Q8_0"), Ready)
    assert told == stage.store.collect_garbage(keep)
    assert 1 == len(told)
    assert told[0].size > 0
    assert isinstance(stage.store.state(WANTED, "F16"), Ready)
    assert isinstance(stage.store.state(WANTED, "Q8_0"), Absent)
    assert [] == list(stage.store.collect_garbage(keep))


async def test_closing_ends_downloads(stage: Stage):
    """Nobody waits for ever."""
    stage.hold()
    asking = asyncio.ensure_future(stage.store.ensure(WANTED))
    await under_way(stage)

    await stage.store.close()

    with pytest.raises(Unavailable, match="cancelled"):
        await asking
