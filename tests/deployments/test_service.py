import pytest

from cupola.audit.memory import MemoryAudit, MemoryWork
from cupola.audit.service import Audit
from cupola.deployments.belongings import Belongings
from cupola.deployments.changes import make_endpoint
from cupola.deployments.memory import MemoryEndpoints, MemoryInstanceTypes
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.deployments.service import Endpoints
from cupola.ids import EndpointName, ModelName
from cupola.kit.clock import FakeClock
from cupola.kit.errors import Conflict, NotFound
from cupola.metering.memory import MemoryBudgets
from cupola.projects.memory import MemoryProjects
from cupola.projects.service import Projects
from cupola.quotas.memory import MemoryLimits

PILOT = EndpointName("pilot")
MODEL = ModelName("Cupola-Pilot")


def over(store: MemoryEndpoints, *written: Endpoint) -> Endpoints:
    """The service over a store, with everything else in memory."""
    clock = FakeClock(1000.5)
    audit = Audit(MemoryAudit(), MemoryWork(), clock)
    projects = Projects(MemoryProjects(), audit, clock)
    belongings = Belongings(MemoryLimits(), MemoryBudgets())
    return Endpoints(
        store,
        MemoryInstanceTypes(),
        projects,
        audit,
        clock,
        belongings=belongings,
        written=written,
    )


@pytest.fixture
def endpoints() -> Endpoints:
    return over(MemoryEndpoints())


async def test_first_start_makes_an_endpoint(endpoints: Endpoints):
    """A new home has something to chat with."""
    [first] = await endpoints.ensure_first(PILOT, MODEL)
    expected = make_endpoint(PILOT, EndpointKind.SERVERLESS, MODEL, created=1000)

    assert expected == first
    assert MODEL == first.model
    assert first == await endpoints.get_endpoint("pilot")


async def test_second_start_makes_none(endpoints: Endpoints):
    """What is there stays as it is, under whatever name."""
    first = await endpoints.ensure_first(PILOT, MODEL)

    assert await endpoints.ensure_first(EndpointName("other"), MODEL) == first


async def test_what_was_deleted_does_not_come_back():
    """Whoever deleted the last endpoint finds none at the next start; nor do its keys revive."""
    store = MemoryEndpoints()
    endpoints = over(store)
    await endpoints.ensure_first(PILOT, MODEL)
    await store.delete(PILOT)

    assert [] == await endpoints.ensure_first(PILOT, MODEL)


async def test_unknown_name_is_answered_with_the_known(endpoints: Endpoints):
    """A slip of the pen is mended by reading the message."""
    await endpoints.ensure_first(PILOT, MODEL)

    with pytest.raises(NotFound, match=r"There is no endpoint 'pilto'\. There are: pilot\."):
        await endpoints.get_endpoint("pilto")


FAR = make_endpoint(EndpointName("far"), EndpointKind.UPSTREAM, ModelName("Far"), created=500)


async def test_written_endpoints_stand_beside_the_stored():
    """They come after, so that the first one stays the first; none of them is stored."""
    store = MemoryEndpoints()
    endpoints = over(store, FAR)
    first = await endpoints.ensure_first(PILOT, MODEL)

    assert ["pilot", "far"] == [each.name for each in first]
    assert first == await endpoints.list_endpoints()
    assert FAR == await endpoints.get_endpoint("far")
    assert await store.find(FAR.name) is None


async def test_a_written_endpoint_cannot_take_a_name():
    """Neither a stored one's nor, at the very first start, that of the one to be made."""
    store = MemoryEndpoints()
    twin = make_endpoint(PILOT, EndpointKind.UPSTREAM, MODEL, created=500)
    endpoints = over(store, twin)

    with pytest.raises(Conflict, match=r"'pilot'.*kind upstream"):
        await endpoints.ensure_first(PILOT, MODEL)
    assert [] == await store.list()
    await over(store).ensure_first(PILOT, MODEL)
    with pytest.raises(Conflict, match="'pilot'"):
        await endpoints.list_endpoints()
