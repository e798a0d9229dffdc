# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.
"""The client: a server, a token, and the resources that the token opens."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from cupola.sdk._request import Request, ask, join
from cupola.sdk._results import Changes, Me
from cupola.sdk._retry import Policy
from cupola.sdk._sync.access import Sessions, SignIn, Users
from cupola.sdk._sync.endpoints import Endpoints
from cupola.sdk._sync.metering import Budgets, Limits, Prices, Usage
from cupola.sdk._sync.operations import Operations
from cupola.sdk._sync.projects import (
    Audit,
    ProjectKeys,
    Projects,
    Subscriptions,
)
from cupola.sdk._sync.shelf import InstanceTypes, Models
from cupola.sdk._sync.transport import Transport

_YAML = "application/yaml"


class Cupola:
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(
            server,
            token,
            timeout=timeout,
            verify=verify,
            policy=Policy(retries),
            mount=transport,
        )
        self.project = project
        self.sign_in = SignIn(self._transport)
        self.sessions = Sessions(self._transport)
        self.users = Users(self._transport)
        self.projects = Projects(self._transport)
        self.models = Models(self._transport)
        self.subscriptions = Subscriptions(self._transport, project)
        self.endpoints = Endpoints(self._transport, project)
        self.project_keys = ProjectKeys(self._transport, project)
        self.usage = Usage(self._transport)
        self.limits = Limits(self._transport, project)
        self.prices = Prices(self._transport)
        self.budgets = Budgets(self._transport, project)
        self.audit = Audit(self._transport)
        self.instance_types = InstanceTypes(self._transport)
        self.operations = Operations(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def me(self) -> Me:
        """Who the token says one is."""
        return (self._transport.send(Request("GET", "/me"))).into(Me)

    def apply(self, document: str | bytes, *, prune: bool = False) -> Changes:
        """Make the platform as a document has it; what is so already stays as it is.

        Args:
            document: YAML or JSON (docs/reference/platform.md).
            prune: Also delete what stands in a section of the document's, but not in it.
        """
        return self._apply(document, dry_run=False, prune=prune)

    def plan(self, document: str | bytes, *, prune: bool = False) -> Changes:
        """What `apply` would do; nothing is changed."""
        return self._apply(document, dry_run=True, prune=prune)

    def _apply(self, document: str | bytes, *, dry_run: bool, prune: bool) -> Changes:
        body = document.encode() if isinstance(document, str) else document
        query = ask(dry_run=dry_run, prune=prune)
        request = Request("POST", "/apply", query, body, content_type=_YAML)
        return (self._transport.send(request)).into(Changes)

    def export(self, projects: Sequence[str] = ()) -> str:
        """The platform as a YAML document, without secrets; of `projects` only, if any."""
        query: dict[str, Any] = ask(project=",".join(projects) or None)
        return (self._transport.send(Request("GET", "/export", query))).body.decode()

    def backup(self, file: Path) -> None:
        """Write a consistent copy of the server's state to `file`, readable by its owner only."""
        with self._transport.stream(Request("GET", join("backup"))) as response:
            draft = file.with_name(f".{file.name}.part")
            draft.touch(mode=0o600)
            try:
                with draft.open("wb") as target:
                    for part in response.iter_bytes():
                        target.write(part)
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)
