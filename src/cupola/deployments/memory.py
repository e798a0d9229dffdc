"""Endpoints that live as long as the object: the fake that ships."""

from collections.abc import Sequence

from cupola.deployments.model import Endpoint
from cupola.ids import EndpointName, ProjectName
from cupola.kit.errors import Conflict, Stale


class MemoryEndpoints:
    """An `EndpointStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointName, Endpoint] = {}

    async def add(self, endpoint: Endpoint) -> None:
        if endpoint.name in self._endpoints:
            raise Conflict(f"There is an endpoint {endpoint.name!r} already.")
        self._endpoints[endpoint.name] = endpoint

    async def save(self, endpoint: Endpoint) -> None:
        known = self._endpoints.get(endpoint.name)
        if known is None or known.version != endpoint.version - 1:
            raise Stale(f"The endpoint {endpoint.name!r} was changed meanwhile. Read it again.")
        self._endpoints[endpoint.name] = endpoint

    async def delete(self, name: EndpointName) -> bool:
        return self._endpoints.pop(name, None) is not None

    async def find(self, name: EndpointName) -> Endpoint | None:
        return self._endpoints.get(name)

    async def list(
        self, *, project: ProjectName | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Endpoint]:
        found = [
            self._endpoints[name]
            for name in sorted(self._endpoints)
            if name > after and project in (None, self._endpoints[name].project)
        ]
        return found[:limit]
