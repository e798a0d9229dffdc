"""The verbs of endpoints."""

from collections.abc import Sequence

from cupola.deployments.model import (
    DEFAULT_PROJECT,
    Deployment,
    Endpoint,
    EndpointKind,
    Scale,
    Spec,
)
from cupola.deployments.ports import EndpointStore
from cupola.ids import DeploymentName, EndpointName, ModelName, new_id
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, NotFound


class Endpoints:
    """The endpoints of this installation: the stored ones, then those that a file defines.

    The latter are not stored, so that the file is the only truth about them.
    """

    def __init__(
        self, store: EndpointStore, clock: Clock, written: Sequence[Endpoint] = ()
    ) -> None:
        self._store = store
        self._clock = clock
        self._written = written

    async def list_endpoints(self) -> Sequence[Endpoint]:
        """Raises: Conflict, if a file defines the name of a stored one."""
        return self._join(await self._store.list())

    async def get_endpoint(self, name: str) -> Endpoint:
        """Raises: NotFound, with the names there are."""
        endpoints = await self.list_endpoints()
        for endpoint in endpoints:
            if endpoint.name == name:
                return endpoint
        names = ", ".join(each.name for each in endpoints) or "none yet"
        raise NotFound(f"There is no endpoint {name!r}. There are: {names}.")

    async def ensure_first(self, name: EndpointName, model: ModelName) -> Sequence[Endpoint]:
        """All endpoints; if none is stored, `name` is created, so that a new home can chat."""
        if existing := await self._store.list():
            return self._join(existing)
        endpoint = make_endpoint(
            name, EndpointKind.SERVERLESS, model, int(self._clock.now()), new_id("sed")
        )
        endpoints = self._join([endpoint])
        await self._store.add(endpoint)
        return endpoints

    def _join(self, stored: Sequence[Endpoint]) -> Sequence[Endpoint]:
        """The stored ones, oldest first, then the written ones."""
        taken = {each.name for each in stored}
        for each in self._written:
            if each.name in taken:
                raise Conflict(
                    f"There is an endpoint {each.name!r} already. Give the one of kind "
                    f"{each.kind} another name in its file."
                )
        return [*sorted(stored, key=lambda each: (each.created, each.name)), *self._written]


def make_endpoint(
    name: EndpointName, kind: EndpointKind, model: ModelName, created: int, key_seed: str = ""
) -> Endpoint:
    """An endpoint of the default project with one deployment, of its own name.

    Without a seed its keys are always those of its name, which suits one that a file defines.
    """
    deployment = Deployment(DeploymentName(name), Spec(model), Scale(), created)
    return Endpoint(
        name=name,
        kind=kind,
        project=DEFAULT_PROJECT,
        created=created,
        deployments=(deployment,),
        traffic={deployment.name: 100},
        key_seed=key_seed,
    )
