"""Every `EndpointStore` keeps these promises."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.deployments.memory import MemoryEndpoints
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.deployments.ports import EndpointStore
from cupola.deployments.store import SqlEndpoints
from cupola.ids import EndpointName, ModelName
from cupola.kit.errors import Conflict

PILOT = Endpoint(EndpointName("pilot"), EndpointKind.SERVERLESS, ModelName("Cupola-Pilot"), 1000)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EndpointStore]:
    if request.param == "memory":
        yield MemoryEndpoints()
        return
    ensure_schema(tmp_path / "cupola.db")
    database = Database(tmp_path / "cupola.db")
    yield SqlEndpoints(database)
    await database.close()


async def test_added_is_found(store: EndpointStore):
    """What was added is found again, with every field as it was."""
    endpoint = replace(PILOT, kind=EndpointKind.MANAGED, primary_generation=3)
    await store.add(endpoint)

    assert endpoint == await store.find(PILOT.name)


async def test_unknown_is_none(store: EndpointStore):
    """A name that was not added is no error."""
    assert await store.find(EndpointName("other")) is None


async def test_name_is_taken_once(store: EndpointStore):
    """A second endpoint of a name is refused, and the first stays as it was."""
    await store.add(PILOT)
    with pytest.raises(Conflict):
        await store.add(replace(PILOT, created=2000))

    assert [PILOT] == await store.list()


async def test_list_is_in_order_of_creation(store: EndpointStore):
    """Oldest first; the name decides between those of one second."""
    late = replace(PILOT, name=EndpointName("a"), created=2000)
    twin = replace(PILOT, name=EndpointName("b"))
    for endpoint in (late, PILOT, twin):
        await store.add(endpoint)

    assert await store.list() == [twin, PILOT, late]


async def test_sqlite_survives_a_restart(tmp_path: Path):
    """What `add` returned from is there for the next process."""
    ensure_schema(tmp_path / "cupola.db")
    first = Database(tmp_path / "cupola.db")
    await SqlEndpoints(first).add(PILOT)
    await first.close()
    second = Database(tmp_path / "cupola.db")
    found = await SqlEndpoints(second).list()
    await second.close()

    assert found == [PILOT]
