"""The verbs of projects; above all `reach`, the only way to one.

A name in a request proves nothing. `reach` turns it into a `ReachableProject`, which proves that
the project is there and that whoever asks may do what they are about to; what other domains do in a
project takes that proof instead of a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cupola.audit.service import Audit
from cupola.identity.model import Principal, User
from cupola.ids import NAME, NAME_RULE, ProjectName
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, Forbidden, Malformed, NotFound, Stale
from cupola.projects.model import RIGHTS, Member, Project, Right, Role
from cupola.projects.ports import ProjectStore

_EVERYTHING: Final = frozenset(Right)
_NOTHING: Final[frozenset[Right]] = frozenset()


@dataclass(frozen=True, slots=True)
class ReachableProject:
    """A project, with the proof that `by` may do in it what was asked for. `reach` makes it."""

    project: Project
    by: Principal
    rights: frozenset[Right]
    """All that `by` may do in it."""

    @property
    def name(self) -> ProjectName:
        return self.project.name


def limit_rights(principal: Principal, rights: frozenset[Right]) -> frozenset[Right]:
    """Those of `rights` that the principal's token does not take away."""
    if principal.scopes is None:
        return rights
    return frozenset(right for right in rights if right.value in principal.scopes)


class Projects:
    """The projects of this installation, and who belongs to them."""

    def __init__(self, store: ProjectStore, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def reach(self, principal: Principal, name: str, right: Right) -> ReachableProject:
        """The project, for a principal who has `right` in it.

        Raises:
            NotFound: There is none; or the principal has no role in it, and may not know of it.
            Forbidden: The role, or the token, lacks the right.
        """
        rights = await self.rights(principal, name)
        project = await self._store.find(ProjectName(name)) if rights else None
        if project is None:
            raise NotFound(f"There is no project {name!r} that you belong to.")
        allowed = limit_rights(principal, rights)
        if right not in allowed:
            raise Forbidden(_explain(principal, rights, right))
        return ReachableProject(project, principal, allowed)

    async def rights(self, principal: Principal, name: str) -> frozenset[Right]:
        """What the principal's role allows, whatever the token takes away; empty: no role."""
        if not NAME.fullmatch(name):
            return _NOTHING
        if principal.user.administrator:
            return _EVERYTHING
        member = await self._store.find_member(ProjectName(name), principal.user.id)
        return RIGHTS[member.role] if member else _NOTHING

    def require_administrator(self, principal: Principal) -> None:
        """Raises: Forbidden."""
        require_administrator(principal)

    async def list_projects(
        self, principal: Principal, *, after: str = "", limit: int | None = None
    ) -> Sequence[Project]:
        """Those that the principal can reach; an administrator reaches all."""
        if Right.READ not in limit_rights(principal, _EVERYTHING):
            raise Forbidden(_narrow(Right.READ))
        user = None if principal.user.administrator else principal.user.id
        return await self._store.list(user=user, after=after, limit=limit)

    async def list_roles(self, principal: Principal) -> Sequence[Member]:
        """The principal's own memberships."""
        members = await self._store.list_all_members()
        return [member for member in members if member.user == principal.user.id]

    async def create(
        self,
        principal: Principal,
        name: str,
        *,
        display_name: str = "",
        core_quota: int | None = None,
    ) -> Project:
        """A new project, for administrators to make.

        Whoever makes it is its owner, unless they are this machine's console, who is nobody that
        could be a member.
        """
        require_administrator(principal)
        if not NAME.fullmatch(name):
            raise Malformed(
                f"{name[:64]!r} is no name for a project. {NAME_RULE}",
                path=("name",),
                code="string_pattern_mismatch",
            )
        project = Project(ProjectName(name), int(self._clock.now()), display_name, core_quota)
        async with self._audit.change(principal, "projects.create", name, project.name) as change:
            await self._store.add(project)
            if not principal.is_console:
                owner = Member(project.name, principal.user.id, Role.OWNER)
                await self._store.put_member(owner)
            change.after = _tell(project)
        return project

    async def ensure(self, name: ProjectName) -> Project:
        """The project, made by the platform itself if it is not there."""
        async with self._audit.change(None, "projects.create", name, name) as change:
            if (found := await self._store.find(name)) is not None:
                return found
            project = Project(name, int(self._clock.now()))
            await self._store.add(project)
            change.after = _tell(project)
        return project

    async def update(
        self, reached: ReachableProject, expected: int | None = None, **changes: object
    ) -> Project:
        """The project with `display_name` or `core_quota` changed; the quota by administrators."""
        if "core_quota" in changes:
            require_administrator(reached.by)
        name = reached.name
        async with self._audit.change(reached.by, "projects.update", name, name) as change:
            before = await self._get(name)
            if expected not in (None, before.version):
                raise Stale(f"The project {name!r} was changed meanwhile. Read it again.")
            after = replace(before, **changes)  # type: ignore[arg-type]  # checked by the schema
            if after == before:
                return before
            after = replace(after, version=before.version + 1)
            await self._store.save(after)
            change.before, change.after = _tell(before), _tell(after)
        return after

    async def delete(self, reached: ReachableProject, expected: int | None = None) -> None:
        """Forget the project and its members. That nothing of value is in it is for the caller to
        see to, in the same unit of work: what a project owns lies in rooms above."""
        name = reached.name
        async with self._audit.change(reached.by, "projects.delete", name, name) as change:
            before = await self._get(name)
            if expected not in (None, before.version):
                raise Stale(f"The project {name!r} was changed meanwhile. Read it again.")
            change.before = _tell(before)
            await self._store.delete(name)

    async def list_members(self, reached: ReachableProject) -> Sequence[Member]:
        """Sorted by user."""
        return await self._store.list_members(reached.name)

    async def put_member(self, reached: ReachableProject, user: User, role: Role) -> Member:
        """Add a user, or give them another role."""
        member = Member(reached.name, user.id, role)
        async with self._audit.change(reached.by, "members.put", user.name, reached.name) as change:
            known = await self._store.find_member(reached.name, user.id)
            if role is not Role.OWNER:
                await self._keep_an_owner(reached, known)
            await self._store.put_member(member)
            change.before = {"role": known.role.value} if known else None
            change.after = {"role": role.value}
        return member

    async def remove_member(self, reached: ReachableProject, user: User) -> None:
        """Raises: NotFound, if the user does not belong to the project."""
        async with self._audit.change(
            reached.by, "members.remove", user.name, reached.name
        ) as change:
            known = await self._store.find_member(reached.name, user.id)
            if known is None:
                raise NotFound(f"{user.name!r} is no member of the project {reached.name!r}.")
            await self._keep_an_owner(reached, known)
            await self._store.remove_member(reached.name, user.id)
            change.before = {"role": known.role.value}

    async def _keep_an_owner(self, reached: ReachableProject, leaving: Member | None) -> None:
        """An administrator may leave a project without an owner: they can mend it."""
        if leaving is None or leaving.role is not Role.OWNER or reached.by.user.administrator:
            return
        members = await self._store.list_members(reached.name)
        if not any(each.role is Role.OWNER and each != leaving for each in members):
            raise Conflict(
                f"The project {reached.name!r} would be without an owner. Make another member "
                "its owner first."
            )

    async def _get(self, name: ProjectName) -> Project:
        project = await self._store.find(name)
        if project is None:  # deleted since it was reached
            raise NotFound(f"There is no project {name!r} that you belong to.")
        return project


def require_administrator(principal: Principal) -> None:
    """Raises: Forbidden, unless principal and token are a platform administrator's."""
    if not principal.user.administrator:
        raise Forbidden("Only a platform administrator may do this. Ask one of yours.")
    if Right.ADMINISTER not in limit_rights(principal, _EVERYTHING):
        raise Forbidden(_narrow(Right.ADMINISTER))


def require_observer(principal: Principal) -> None:
    """Raises: Forbidden, unless principal is an administrator whose token may at least read.

    So what watches the platform can have a token that changes nothing.
    """
    if not principal.user.administrator:
        raise Forbidden("Only a platform administrator's token may do this. Ask one of yours.")
    if Right.READ not in limit_rights(principal, _EVERYTHING):
        raise Forbidden(_narrow(Right.READ))


def _explain(principal: Principal, rights: frozenset[Right], right: Right) -> str:
    if right in rights:
        return _narrow(right)
    role = next(role for role, allowed in RIGHTS.items() if right in allowed or role is Role.OWNER)
    return (
        f"This needs the right {right.value!r}, which your role in the project lacks. Ask an owner "
        f"of the project for the role {role.value!r}."
    )


def _narrow(right: Right) -> str:
    return (
        f"This needs the right {right.value!r}, which your token was made without. Use another "
        "token, or sign in again."
    )


def _tell(project: Project) -> dict[str, Any]:
    """What the audit log keeps of a project."""
    return {
        "name": project.name,
        "display_name": project.display_name,
        "core_quota": project.core_quota,
    }
