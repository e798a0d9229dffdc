"""Endpoints, the deployments behind them, their keys and logs."""

from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from time import monotonic

from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._errors import OperationFailed
from cupola.sdk._request import Reply, Request, ask, join, write
from cupola.sdk._results import Deployment, Endpoint, KeyPair

_PAUSE = 0.5


class AsyncEndpoints:
    """The endpoints of a project.

    Changes that start work return at once; `wait` until they are done.
    """

    def __init__(self, transport: AsyncTransport, project: str) -> None:
        self._transport = transport
        self._project = project

    def list(self, *, project: str | None = None) -> AsyncIterator[Endpoint]:
        """By name."""
        return self._transport.list(self._path(project), Endpoint)

    async def get(self, name: str, *, project: str | None = None) -> Endpoint:
        """One, with its deployments and how they are."""
        return (await self._transport.send(Request("GET", self._path(project, name)))).into(
            Endpoint
        )

    async def create_serverless(
        self,
        name: str,
        model: str,
        *,
        accept_terms: bool = False,
        quantisation: str | None = None,
        min_replicas: int | None = None,
        max_replicas: int | None = None,
        content_safety: bool | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        project: str | None = None,
    ) -> Endpoint:
        """A model on shared replicas, scaled with its load between floor and ceiling.

        Args:
            accept_terms: Accept the model's offer for the project, if it has not been yet.
            min_replicas: 0 lets it sleep; the first request wakes it.
        """
        body = write(
            name=name,
            kind="serverless",
            model=model,
            accept_terms=accept_terms or None,
            quantisation=quantisation,
            min_replicas=min_replicas,
            max_replicas=max_replicas,
            content_safety=content_safety,
            description=description,
            tags=tags,
        )
        return await self._create(body, project)

    async def create_managed(
        self,
        name: str,
        model: str,
        *,
        instance_type: str,
        instances: int = 1,
        deployment: str | None = None,
        quantisation: str | None = None,
        auth_mode: str | None = None,
        shared_quota: bool = False,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        project: str | None = None,
    ) -> Endpoint:
        """A model on instances of its own.

        Args:
            deployment: The first deployment's name; None: the endpoint's.
            auth_mode: What callers prove themselves with, `key` or `token`.
            shared_quota: Do not count its cores; the endpoint is deleted after 168 hours.
        """
        body = write(
            name=name,
            kind="managed",
            model=model,
            instance_type=instance_type,
            instances=instances,
            deployment=deployment,
            quantisation=quantisation,
            auth_mode=auth_mode,
            shared_quota=shared_quota or None,
            description=description,
            tags=tags,
        )
        return await self._create(body, project)

    async def update(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        limits: Mapping[str, int | None] | None = None,
        content_safety: bool | None = None,
        traffic: Mapping[str, int] | None = None,
        auth_mode: str | None = None,
        min_replicas: int | None = None,
        max_replicas: int | None = None,
        if_version: int | None = None,
        project: str | None = None,
    ) -> Endpoint:
        """Change what is given.

        Args:
            traffic: Per cent of the requests for each deployment; together 100.
            if_version: Refused with `Stale` if it changed since.
        """
        body = write(
            description=description,
            tags=tags,
            limits=limits,
            content_safety=content_safety,
            traffic=traffic,
            auth_mode=auth_mode,
            min_replicas=min_replicas,
            max_replicas=max_replicas,
        )
        path = self._path(project, name)
        request = Request("PATCH", path, body=body, if_version=if_version)
        return _read_endpoint(await self._transport.send(request))

    async def delete(
        self, name: str, *, if_version: int | None = None, project: str | None = None
    ) -> str | None:
        """Delete it with all its deployments; its keys work no more. Returns the operation."""
        request = Request("DELETE", self._path(project, name), if_version=if_version)
        return (await self._transport.send(request)).operation

    async def wait(
        self,
        name: str,
        *,
        deployment: str | None = None,
        timeout: float | None = None,
        on_progress: Callable[[Endpoint], None] | None = None,
        project: str | None = None,
    ) -> Endpoint:
        """Wait until the endpoint, or the one deployment, is ready.

        Args:
            timeout: Seconds; None waits for as long as it takes.
            on_progress: Told how it is, each time that was asked.

        Raises:
            OperationFailed: It failed, or took longer; the message says why.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            endpoint = await self.get(name, project=project)
            if on_progress is not None:
                on_progress(endpoint)
            state, reason = _find_state(endpoint, deployment)
            if not _is_noticed(endpoint, deployment):
                state = "updating"
            if state in ("ready", "scaled_to_zero"):
                return endpoint
            if state in ("failed", "deleting", "stopped"):
                raise OperationFailed(reason or f"{name} is {state}.")
            if deadline is not None and monotonic() > deadline:
                raise OperationFailed(f"{name} is not ready in time: {reason or state}")
            await sleep(_PAUSE)

    def list_deployments(
        self, endpoint: str, *, project: str | None = None
    ) -> AsyncIterator[Deployment]:
        """What stands behind it."""
        return self._transport.list(self._path(project, endpoint, "deployments"), Deployment)

    async def get_deployment(
        self, endpoint: str, name: str, *, project: str | None = None
    ) -> Deployment:
        """One of them."""
        path = self._path(project, endpoint, "deployments", name)
        return (await self._transport.send(Request("GET", path))).into(Deployment)

    async def put_deployment(
        self,
        endpoint: str,
        name: str,
        *,
        model: str,
        instance_type: str,
        instances: int = 1,
        quantisation: str | None = None,
        slots: int | None = None,
        context_length: int | None = None,
        project: str | None = None,
    ) -> Deployment:
        """Add a deployment to a managed endpoint, or change it: a change is rolled out."""
        body = write(
            model=model,
            instance_type=instance_type,
            instances=instances,
            quantisation=quantisation,
            slots=slots,
            context_length=context_length,
        )
        path = self._path(project, endpoint, "deployments", name)
        return (await self._transport.send(Request("PUT", path, body=body))).into(Deployment)

    async def update_deployment(
        self,
        endpoint: str,
        name: str,
        *,
        instances: int | None = None,
        instance_type: str | None = None,
        model: str | None = None,
        quantisation: str | None = None,
        project: str | None = None,
    ) -> Deployment:
        """Change what is given."""
        body = write(
            instances=instances,
            instance_type=instance_type,
            model=model,
            quantisation=quantisation,
        )
        path = self._path(project, endpoint, "deployments", name)
        return (await self._transport.send(Request("PATCH", path, body=body))).into(Deployment)

    async def delete_deployment(
        self, endpoint: str, name: str, *, project: str | None = None
    ) -> str | None:
        """Remove one that gets no traffic any more. Returns the operation."""
        path = self._path(project, endpoint, "deployments", name)
        return (await self._transport.send(Request("DELETE", path))).operation

    async def get_keys(self, name: str, *, project: str | None = None) -> KeyPair:
        """Both keys, for those who may call."""
        request = Request("GET", self._path(project, name, "keys"))
        return (await self._transport.send(request)).into(KeyPair)

    async def regenerate_key(self, name: str, key: str, *, project: str | None = None) -> KeyPair:
        """Replace the `primary` or the `secondary` key; the other goes on working."""
        path = self._path(project, name, "keys", "regenerate")
        reply = await self._transport.send(Request("POST", path, body=write(key=key)))
        if "idempotency-replayed" in reply.headers:  # the first reply was lost, and the keys in it
            return await self.get_keys(name, project=project)
        return reply.into(KeyPair)

    async def iter_log(
        self,
        name: str,
        *,
        deployment: str | None = None,
        follow: bool = False,
        project: str | None = None,
    ) -> AsyncIterator[str]:
        """The lines that its engines wrote; with `follow`, also those to come."""
        query = ask(deployment=deployment, follow=follow or None)
        request = Request("GET", self._path(project, name, "logs"), query)
        async with self._transport.stream(request) as response:
            async for line in response.aiter_lines():
                yield line.rstrip()

    async def _create(self, body: bytes, project: str | None) -> Endpoint:
        request = Request("POST", self._path(project), body=body)
        return _read_endpoint(await self._transport.send(request))

    def _path(self, project: str | None, *parts: str) -> str:
        return join("projects", project or self._project, "endpoints", *parts)


def _read_endpoint(reply: Reply) -> Endpoint:
    return replace(reply.into(Endpoint), operation=reply.operation)


def _is_noticed(endpoint: Endpoint, name: str | None) -> bool:
    """Whether what is reported is already of the number of instances that is wanted."""
    return all(
        each.instances is None or each.wanted == each.instances
        for each in endpoint.deployments
        if name in (None, each.name)
    )


def _find_state(endpoint: Endpoint, name: str | None) -> tuple[str, str | None]:
    if name is None:
        return endpoint.state, endpoint.reason
    for deployment in endpoint.deployments:
        if deployment.name == name:
            return deployment.state, deployment.reason or deployment.outcome
    raise OperationFailed(f"{endpoint.name} has no deployment {name} any more.")
