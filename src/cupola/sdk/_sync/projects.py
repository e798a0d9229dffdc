# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.
"""Projects and what belongs to them: members, subscriptions, project keys, the audit log."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cupola.sdk._request import Request, join, write
from cupola.sdk._results import AuditEntry, Member, Project, ProjectKey, Subscription
from cupola.sdk._sync.transport import Transport


class Projects:
    """The projects that one belongs to; all of them for administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Project]:
        """By name."""
        return self._transport.list("/projects", Project)

    def get(self, name: str) -> Project:
        """One."""
        return (self._transport.send(Request("GET", join("projects", name)))).into(Project)

    def create(
        self, name: str, *, display_name: str | None = None, core_quota: int | None = None
    ) -> Project:
        """Make one; without a quota it has the installation's."""
        body = write(name=name, display_name=display_name, core_quota=core_quota)
        return (self._transport.send(Request("POST", "/projects", body=body))).into(Project)

    def update(
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
        return (self._transport.send(request)).into(Project)

    def delete(self, name: str, *, if_version: int | None = None) -> None:
        """Remove one that has no endpoints any more."""
        self._transport.send(Request("DELETE", join("projects", name), if_version=if_version))

    def list_members(self, name: str) -> Iterator[Member]:
        """Who belongs to it, and as what."""
        return self._transport.list(join("projects", name, "members"), Member)

    def put_member(self, name: str, user: str, role: str) -> Member:
        """Let a user (id or name) in, or give them another role."""
        path = join("projects", name, "members", user)
        reply = self._transport.send(Request("PUT", path, body=write(role=role)))
        return reply.into(Member)

    def remove_member(self, name: str, user: str) -> None:
        """Take a user's role away."""
        path = join("projects", name, "members", user)
        self._transport.send(Request("DELETE", path))


class Subscriptions:
    """A project's acceptances of models' offers."""

    def __init__(self, transport: Transport, project: str) -> None:
        self._transport = transport
        self._project = project

    def list(self, *, project: str | None = None) -> Iterator[Subscription]:
        """By model."""
        path = join("projects", project or self._project, "subscriptions")
        return self._transport.list(path, Subscription)

    def accept(self, model: str, *, project: str | None = None) -> Subscription:
        """Accept the model's terms and prices for the project; again changes nothing."""
        path = join("projects", project or self._project, "subscriptions", model)
        body = write(accept_terms=True)
        return (self._transport.send(Request("PUT", path, body=body))).into(Subscription)

    def delete(self, model: str, *, project: str | None = None) -> None:
        """End it."""
        path = join("projects", project or self._project, "subscriptions", model)
        self._transport.send(Request("DELETE", path))


class ProjectKeys:
    """Keys for the project-wide routes."""

    def __init__(self, transport: Transport, project: str) -> None:
        self._transport = transport
        self._project = project

    def list(self, *, project: str | None = None) -> Iterator[ProjectKey]:
        """Without the keys themselves: they are nowhere."""
        return self._transport.list(join("projects", project or self._project, "keys"), ProjectKey)

    def create(
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
        return (self._transport.send(Request("POST", path, body=body, once=True))).into(ProjectKey)

    def delete(self, id: str, *, project: str | None = None) -> None:
        """Revoke one: it stops working everywhere within a second."""
        path = join("projects", project or self._project, "keys", id)
        self._transport.send(Request("DELETE", path))


class Audit:
    """What was changed, by whom."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, project: str | None = None) -> Iterator[AuditEntry]:
        """Newest first; without a project the whole platform's, for administrators."""
        path = join("projects", project, "audit") if project else "/audit"
        return self._transport.list(path, AuditEntry)
