"""Projects and what belongs to them: members, subscriptions, project keys, the audit log."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._request import Request, join, write
from cupola.sdk._results import AuditEntry, Member, Project, ProjectKey, Subscription


class AsyncProjects:
    """The projects that one belongs to; all of them for administrators."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self) -> AsyncIterator[Project]:
        """By name."""
        return self._transport.list("/projects", Project)

    async def get(self, name: str) -> Project:
        """One."""
        return (await self._transport.send(Request("GET", join("projects", name)))).into(Project)

    async def create(
        self, name: str, *, display_name: str | None = None, core_quota: int | None = None
    ) -> Project:
        """Make one; without a quota it has the installation's."""
        body = write(name=name, display_name=display_name, core_quota=core_quota)
        return (await self._transport.send(Request("POST", "/projects", body=body))).into(Project)

    async def update(
        self,
        name: str,
        *,
        display_name: str | None = None,
        core_quota: int | None = None,
        if_version: int | None = None,
    ) -> Project:
        """Change what is given."""
        body = write(display_name=display_name, core_quota=core_quota)
        request = Request("PATCH", join("projects", name), body=body, if_version=if_version)
        return (await self._transport.send(request)).into(Project)

    async def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Remove one that has no endpoints any more."""
        await self._transport.send(Request("DELETE", join("projects", name), if_version=if_version))

    def list_members(self, name: str) -> AsyncIterator[Member]:
        """Who belongs to it, and as what."""
        return self._transport.list(join("projects", name, "members"), Member)

    async def put_member(self, name: str, user: str, role: str) -> Member:
        """Let a user (id or name) in, or give them another role."""
        path = join("projects", name, "members", user)
        reply = await self._transport.send(Request("PUT", path, body=write(role=role)))
        return reply.into(Member)

    async def remove_member(self, name: str, user: str) -> None:
        """Take a user's role away."""
        path = join("projects", name, "members", user)
        await self._transport.send(Request("DELETE", path))


class AsyncSubscriptions:
    """A project's acceptances of models' offers."""

    def __init__(self, transport: AsyncTransport, project: str) -> None:
        self._transport = transport
        self._project = project

    def list(self, *, project: str | None = None) -> AsyncIterator[Subscription]:
        """By model."""
        path = join("projects", project or self._project, "subscriptions")
        return self._transport.list(path, Subscription)

    async def accept(self, model: str, *, project: str | None = None) -> Subscription:
        """Accept the model's terms and prices for the project; again changes nothing."""
        path = join("projects", project or self._project, "subscriptions", model)
        body = write(accept_terms=True)
        return (await self._transport.send(Request("PUT", path, body=body))).into(Subscription)

    async def delete(self, model: str, *, project: str | None = None) -> None:
        """End it."""
        path = join("projects", project or self._project, "subscriptions", model)
        await self._transport.send(Request("DELETE", path))


class AsyncProjectKeys:
    """Keys for the project-wide routes."""

    def __init__(self, transport: AsyncTransport, project: str) -> None:
        self._transport = transport
        self._project = project

    def list(self, *, project: str | None = None) -> AsyncIterator[ProjectKey]:
        """Without the keys themselves: they are nowhere."""
        return self._transport.list(join("projects", project or self._project, "keys"), ProjectKey)

    async def create(
        self,
        name: str,
        *,
        endpoints: Sequence[str] | None = None,
        expires: datetime | None = None,
        project: str | None = None,
    ) -> ProjectKey:
        """Make one; its `key` is shown in this reply and never again."""
        body = write(
            name=name,
            endpoints=None if endpoints is None else [*endpoints],
            expires=expires.isoformat() if expires else None,
        )
        path = join("projects", project or self._project, "keys")
        return (await self._transport.send(Request("POST", path, body=body, once=True))).into(
            ProjectKey
        )

    async def delete(self, id: str, *, project: str | None = None) -> None:
        """Revoke one: it stops working everywhere within a second."""
        path = join("projects", project or self._project, "keys", id)
        await self._transport.send(Request("DELETE", path))


class AsyncAudit:
    """What was changed, by whom."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, *, project: str | None = None) -> AsyncIterator[AuditEntry]:
        """Newest first; without a project the whole platform's, for administrators."""
        path = join("projects", project, "audit") if project else "/audit"
        return self._transport.list(path, AuditEntry)
