"""Projects that live as long as the object: the fake that ships."""

from collections.abc import Sequence

from cupola.ids import ProjectName, UserId
from cupola.kit.errors import Conflict, Stale
from cupola.projects.model import Member, Project


class MemoryProjects:
    """A `ProjectStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._projects: dict[ProjectName, Project] = {}
        self._members: dict[tuple[ProjectName, UserId], Member] = {}

    async def add(self, project: Project) -> None:
        if project.name in self._projects:
            raise Conflict(f"There is a project {project.name!r} already.")
        self._projects[project.name] = project

    async def save(self, project: Project) -> None:
        known = self._projects.get(project.name)
        if known is None or known.version != project.version - 1:
            raise Stale(f"The project {project.name!r} was changed meanwhile. Read it again.")
        self._projects[project.name] = project

    async def delete(self, name: ProjectName) -> None:
        self._projects.pop(name, None)
        for key in [key for key in self._members if key[0] == name]:
            del self._members[key]

    async def find(self, name: ProjectName) -> Project | None:
        return self._projects.get(name)

    async def list(
        self, *, user: UserId | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Project]:
        found = [
            self._projects[name]
            for name in sorted(self._projects)
            if name > after and (user is None or (name, user) in self._members)
        ]
        return found[:limit]

    async def put_member(self, member: Member) -> None:
        self._members[member.project, member.user] = member

    async def remove_member(self, project: ProjectName, user: UserId) -> bool:
        return self._members.pop((project, user), None) is not None

    async def find_member(self, project: ProjectName, user: UserId) -> Member | None:
        return self._members.get((project, user))

    async def list_members(self, project: ProjectName) -> Sequence[Member]:
        return [member for member in await self.list_all_members() if member.project == project]

    async def list_all_members(self) -> Sequence[Member]:
        return [self._members[key] for key in sorted(self._members)]
