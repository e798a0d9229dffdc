"""What there is to deploy, and on what: models and instance types."""

from collections.abc import AsyncIterator

from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._request import Request, join, write
from cupola.sdk._results import InstanceType, Model


class AsyncModels:
    """The catalog."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        collection: str | None = None,
        publisher: str | None = None,
        task: str | None = None,
        capability: str | None = None,
        license: str | None = None,
        deployment: str | None = None,
        fits: bool | None = None,
        text: str | None = None,
    ) -> AsyncIterator[Model]:
        """The entries that have all that is given; `fits`: that this machine can run."""
        return self._transport.list(
            "/models",
            Model,
            collection=collection,
            publisher=publisher,
            task=task,
            capability=capability,
            license=license,
            deployment=deployment,
            fits=fits,
            q=text,
        )

    async def get(self, name: str) -> Model:
        """One entry."""
        return (await self._transport.send(Request("GET", join("models", name)))).into(Model)

    async def add(
        self, name: str, *, path: str | None = None, repository: str | None = None
    ) -> Model:
        """Add a model of one's own, for administrators.

        Args:
            path: A file or folder on the server's machine.
            repository: On the model hub, as `OWNER/NAME`.
        """
        body = write(name=name, path=path, repository=repository)
        return (await self._transport.send(Request("POST", "/models", body=body))).into(Model)

    async def remove(self, name: str) -> None:
        """Remove an entry that was added; its weights stay where they are."""
        await self._transport.send(Request("DELETE", join("models", name)))


class AsyncInstanceTypes:
    """What instances of managed deployments may be."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self) -> AsyncIterator[InstanceType]:
        """By name."""
        return self._transport.list("/instance-types", InstanceType)

    async def get(self, name: str) -> InstanceType:
        """One."""
        request = Request("GET", join("instance-types", name))
        return (await self._transport.send(request)).into(InstanceType)

    async def put(self, name: str, *, cores: int, memory: int, gpus: int = 0) -> InstanceType:
        """Add one, or replace it; `memory` in bytes. For administrators."""
        body = write(cores=cores, memory=memory, gpus=gpus)
        request = Request("PUT", join("instance-types", name), body=body)
        return (await self._transport.send(request)).into(InstanceType)

    async def delete(self, name: str) -> None:
        """Offer it no more."""
        await self._transport.send(Request("DELETE", join("instance-types", name)))
