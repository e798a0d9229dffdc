"""Endpoints that live as long as the object: the fake that ships."""

from collections.abc import Sequence

from cupola.deployments.model import Endpoint
from cupola.ids import EndpointName
from cupola.kit.errors import Conflict


class MemoryEndpoints:
    """An `EndpointStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointName, Endpoint] = {}

    async def add(self, endpoint: Endpoint) -> None:
        if endpoint.name in self._endpoints:
            raise Conflict(f"There is an endpoint {endpoint.name!r} already.")
        self._endpoints[endpoint.name] = endpoint

    async def find(self, name: EndpointName) -> Endpoint | None:
        return self._endpoints.get(name)

    async def list(self) -> Sequence[Endpoint]:
        return sorted(self._endpoints.values(), key=lambda each: (each.created, each.name))
