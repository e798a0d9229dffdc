"""The verbs of endpoints."""

from collections.abc import Sequence

from cupola.deployments.model import Endpoint, EndpointKind
from cupola.deployments.ports import EndpointStore
from cupola.ids import EndpointName, ModelName
from cupola.kit.clock import Clock
from cupola.kit.errors import NotFound


class Endpoints:
    """The endpoints of this installation."""

    def __init__(self, store: EndpointStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list_endpoints(self) -> Sequence[Endpoint]:
        return await self._store.list()

    async def get_endpoint(self, name: str) -> Endpoint:
        """Raises: NotFound, with the names there are."""
        endpoint = await self._store.find(EndpointName(name))
        if endpoint is None:
            names = ", ".join(each.name for each in await self._store.list()) or "none yet"
            raise NotFound(f"There is no endpoint {name!r}. There are: {names}.")
        return endpoint

    async def ensure_first(self, name: EndpointName, model: ModelName) -> Sequence[Endpoint]:
        """All endpoints; if there are none, `name` is created, so that a new home can chat."""
        if existing := await self._store.list():
            return existing
        endpoint = Endpoint(name, EndpointKind.SERVERLESS, model, int(self._clock.now()))
        await self._store.add(endpoint)
        return [endpoint]
