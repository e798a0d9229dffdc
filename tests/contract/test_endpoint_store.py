"""Every `EndpointStore` keeps these promises."""

from dataclasses import replace
from pathlib import Path

import pytest

from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.deployments.memory import MemoryEndpoints
from cupola.deployments.model import (
    DEFAULT_PROJECT,
    AuthMode,
    Deployment,
    Endpoint,
    EndpointKind,
    Limits,
    Scale,
    Spec,
)
from cupola.deployments.ports import EndpointStore
from cupola.deployments.store import SqlEndpoints
from cupola.ids import DeploymentName, EndpointName, ModelName, ProjectName
from cupola.kit.errors import Conflict, Stale

_SPEC = Spec(ModelName("Cupola-Pilot"))
_BLUE = Deployment(DeploymentName("blue"), _SPEC, Scale(2, 2, "small"), created=1001, stable=_SPEC)
PILOT = Endpoint(
    name=EndpointName("pilot"),
    kind=EndpointKind.MANAGED,
    project=DEFAULT_PROJECT,
    created=1000,
    deployments=(_BLUE, replace(_BLUE, name=DeploymentName("green"), stable=None, outcome="It.")),
    traffic={DeploymentName("blue"): 90, DeploymentName("green"): 10},
    auth_mode=AuthMode.TOKEN,
    limits=Limits(None, 7),
    expires=2000,
    tags={"team": "blue"},
)


@pytest.fixture
def store(backing: Database | None) -> EndpointStore:
    return SqlEndpoints(backing) if backing else MemoryEndpoints()


async def test_added_is_found(store: EndpointStore):
    """What was added is found again, with every field as it was."""
    endpoint = replace(PILOT, kind=EndpointKind.SERVERLESS, primary_generation=3)
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


async def test_list_is_in_order_of_names(store: EndpointStore):
    """Page after page, each name once."""
    names = ["c", "a", "b"]
    for name in names:
        await store.add(replace(PILOT, name=EndpointName(name)))

    assert ["a", "b", "c"] == [each.name for each in await store.list()]
    assert ["a", "b"] == [each.name for each in await store.list(limit=2)]
    assert ["c"] == [each.name for each in await store.list(after="b", limit=2)]
    assert [] == await store.list(project=ProjectName("other"))


async def test_save_replaces_what_was_read(store: EndpointStore):
    """A change is kept as a whole."""
    await store.add(PILOT)
    changed = replace(PILOT, deployments=PILOT.deployments[:1], expires=None, version=2)
    await store.save(changed)

    assert [changed] == await store.list()


async def test_save_of_something_stale_is_refused(store: EndpointStore):
    """Of two who read the same version, the second to save is told, and nothing of it is kept."""
    await store.add(PILOT)
    changed = replace(PILOT, description="first", version=2)
    await store.save(changed)
    with pytest.raises(Stale):
        await store.save(replace(PILOT, description="second", version=2))
    with pytest.raises(Stale):
        await store.save(replace(PILOT, name=EndpointName("unknown"), version=2))

    assert [changed] == await store.list()


async def test_deleted_is_gone(store: EndpointStore):
    """And says whether there was anything to delete."""
    await store.add(PILOT)

    assert await store.delete(PILOT.name)
    assert not await store.delete(PILOT.name)
    assert await store.find(PILOT.name) is None


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
