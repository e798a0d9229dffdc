import pytest

from cupola.deployments.memory import MemoryEndpoints
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.deployments.service import Endpoints
from cupola.ids import EndpointName, ModelName
from cupola.kit.clock import FakeClock
from cupola.kit.errors import NotFound

PILOT = EndpointName("pilot")
MODEL = ModelName("Cupola-Pilot")


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints(MemoryEndpoints(), FakeClock(1000.5))


async def test_first_start_makes_an_endpoint(endpoints: Endpoints):
    """A new home has something to chat with."""
    expected = Endpoint(PILOT, EndpointKind.SERVERLESS, MODEL, created=1000)

    assert [expected] == await endpoints.ensure_first(PILOT, MODEL)
    assert expected == await endpoints.get_endpoint("pilot")


async def test_second_start_makes_none(endpoints: Endpoints):
    """What is there stays as it is, under whatever name."""
    first = await endpoints.ensure_first(PILOT, MODEL)

    assert await endpoints.ensure_first(EndpointName("other"), MODEL) == first


async def test_unknown_name_is_answered_with_the_known(endpoints: Endpoints):
    """A slip of the pen is mended by reading the message."""
    await endpoints.ensure_first(PILOT, MODEL)

    with pytest.raises(NotFound, match=r"There is no endpoint 'pilto'\. There are: pilot\."):
        await endpoints.get_endpoint("pilto")
