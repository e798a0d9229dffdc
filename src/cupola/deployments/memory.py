"""Endpoints and instance types that live as long as the object, and a fleet that runs nothing."""

from collections.abc import Sequence

from cupola.deployments.model import DeploymentStatus, Endpoint, InstanceType
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


class MemoryInstanceTypes:
    """An `InstanceTypeStore` without a database."""

    def __init__(self, *types: InstanceType) -> None:
        self._types = {each.name: each for each in types}

    async def put(self, instance_type: InstanceType) -> None:
        self._types[instance_type.name] = instance_type

    async def delete(self, name: str) -> bool:
        return self._types.pop(name, None) is not None

    async def find(self, name: str) -> InstanceType | None:
        return self._types.get(name)

    async def list(self) -> Sequence[InstanceType]:
        return [self._types[name] for name in sorted(self._types)]


class ToldFleet:
    """A `FleetView` that says what it was told."""

    def __init__(self) -> None:
        self._statuses: dict[EndpointName, Sequence[DeploymentStatus]] = {}
        self.woken = 0
        """How often it was."""

    def tell(self, endpoint: EndpointName, *statuses: DeploymentStatus) -> None:
        """What `describe` says from now on."""
        self._statuses[endpoint] = statuses

    def describe(self, endpoint: EndpointName) -> Sequence[DeploymentStatus]:
        return self._statuses.get(endpoint, ())

    def wake(self) -> None:
        self.woken += 1
