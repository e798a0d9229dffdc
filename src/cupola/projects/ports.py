"""What projects need from outside: a place that keeps them and their members."""

from collections.abc import Sequence
from typing import Protocol

from cupola.ids import ProjectName, UserId
from cupola.projects.model import Member, Project


class ProjectStore(Protocol):
    """Keeps projects and members.

    - `add` raises `Conflict` if the name is taken, and then changes nothing.
    - `save` replaces the project whose version is one less, else raises `Stale`.
    - `delete` takes its members with it; of one that is not there it does nothing.
    - `list` is sorted by name; `after` is exclusive, `limit` None means all. With `user`, only
      those that the user belongs to.
    - `put_member` adds or replaces; `remove_member` says whether there was one.
    - `list_members` is sorted by user.
    """

    async def add(self, project: Project) -> None: ...

    async def save(self, project: Project) -> None: ...

    async def delete(self, name: ProjectName) -> None: ...

    async def find(self, name: ProjectName) -> Project | None: ...

    async def list(
        self, *, user: UserId | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Project]: ...

    async def put_member(self, member: Member) -> None: ...

    async def remove_member(self, project: ProjectName, user: UserId) -> bool: ...

    async def find_member(self, project: ProjectName, user: UserId) -> Member | None: ...

    async def list_members(self, project: ProjectName) -> Sequence[Member]: ...

    async def list_all_members(self) -> Sequence[Member]: ...
