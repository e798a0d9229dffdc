"""The client: a server, a token, and the resources that the token opens."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from cupola.sdk._async.access import AsyncSessions, AsyncSignIn, AsyncUsers
from cupola.sdk._async.endpoints import AsyncEndpoints
from cupola.sdk._async.metering import AsyncBudgets, AsyncLimits, AsyncPrices, AsyncUsage
from cupola.sdk._async.operations import AsyncOperations
from cupola.sdk._async.projects import (
    AsyncAudit,
    AsyncProjectKeys,
    AsyncProjects,
    AsyncSubscriptions,
)
from cupola.sdk._async.shelf import AsyncInstanceTypes, AsyncModels
from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._request import Request, ask, join
from cupola.sdk._results import Changes, Me
from cupola.sdk._retry import Policy

_YAML = "application/yaml"


class AsyncCupola:
    """A client of one server's management API.

    It holds connections: use it in a `with` block, or close it. It may be shared.

    Args:
        server: As `http://127.0.0.1:8100`.
        token: Of a sign-in, or one made for a program; None: only `sign_in` works.
        project: Where a call's `project` is not given.
        timeout: Seconds to wait for a connection, and for each part of a reply.
        verify: A context, or the file of the certificates to trust; False trusts anyone.
        retries: Times that a request is sent again if it got no reply, or 429 or 503.
    """

    def __init__(
        self,
        server: str,
        token: str | None = None,
        *,
        project: str = "default",
        timeout: float = 30.0,
        verify: ssl.SSLContext | str | bool = True,
        retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._transport = AsyncTransport(
            server,
            token,
            timeout=timeout,
            verify=verify,
            policy=Policy(retries),
            mount=transport,
        )
        self.project = project
        self.sign_in = AsyncSignIn(self._transport)
        self.sessions = AsyncSessions(self._transport)
        self.users = AsyncUsers(self._transport)
        self.projects = AsyncProjects(self._transport)
        self.models = AsyncModels(self._transport)
        self.subscriptions = AsyncSubscriptions(self._transport, project)
        self.endpoints = AsyncEndpoints(self._transport, project)
        self.project_keys = AsyncProjectKeys(self._transport, project)
        self.usage = AsyncUsage(self._transport)
        self.limits = AsyncLimits(self._transport, project)
        self.prices = AsyncPrices(self._transport)
        self.budgets = AsyncBudgets(self._transport, project)
        self.audit = AsyncAudit(self._transport)
        self.instance_types = AsyncInstanceTypes(self._transport)
        self.operations = AsyncOperations(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def me(self) -> Me:
        """Who the token says one is."""
        return (await self._transport.send(Request("GET", "/me"))).into(Me)

    async def apply(self, document: str | bytes, *, prune: bool = False) -> Changes:
        """Make the platform as a document has it; what is so already stays as it is.

        Args:
            document: YAML or JSON (docs/reference/platform.md).
            prune: Also delete what stands in a section of the document's, but not in it.
        """
        return await self._apply(document, dry_run=False, prune=prune)

    async def plan(self, document: str | bytes, *, prune: bool = False) -> Changes:
        """What `apply` would do; nothing is changed."""
        return await self._apply(document, dry_run=True, prune=prune)

    async def _apply(self, document: str | bytes, *, dry_run: bool, prune: bool) -> Changes:
        body = document.encode() if isinstance(document, str) else document
        query = ask(dry_run=dry_run, prune=prune)
        request = Request("POST", "/apply", query, body, content_type=_YAML)
        return (await self._transport.send(request)).into(Changes)

    async def export(self, projects: Sequence[str] = ()) -> str:
        """The platform as a YAML document, without secrets; of `projects` only, if any."""
        query: dict[str, Any] = ask(project=",".join(projects) or None)
        return (await self._transport.send(Request("GET", "/export", query))).body.decode()

    async def backup(self, file: Path) -> None:
        """Write a consistent copy of the server's state to `file`, readable by its owner only."""
        async with self._transport.stream(Request("GET", join("backup"))) as response:
            draft = file.with_name(f".{file.name}.part")
            draft.touch(mode=0o600)
            try:
                with draft.open("wb") as target:
                    async for part in response.aiter_bytes():
                        target.write(part)
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)
