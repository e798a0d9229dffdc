"""Projects and their members in the database."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cupola.db.database import Database
from cupola.db.rows import Remembered, read_row, write_row
from cupola.db.tables import members, projects
from cupola.ids import ProjectName, UserId
from cupola.kit.errors import Conflict, Stale
from cupola.projects.model import Member, Project


class SqlProjects:
    """A `ProjectStore` in the tables `projects` and `members`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._members = Remembered(members, Member)

    async def add(self, project: Project) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(projects).values(**write_row(project)))
        except IntegrityError as error:
            raise Conflict(f"There is a project {project.name!r} already.") from error

    async def save(self, project: Project) -> None:
        change = (
            update(projects)
            .where(projects.c.name == project.name, projects.c.version == project.version - 1)
            .values(**write_row(project))
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(change)).rowcount == 0:
                raise Stale(f"The project {project.name!r} was changed meanwhile. Read it again.")

    async def delete(self, name: ProjectName) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(delete(projects).where(projects.c.name == name))

    async def find(self, name: ProjectName) -> Project | None:
        query = select(projects).where(projects.c.name == name)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, Project) if row else None

    async def list(
        self, *, user: UserId | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Project]:
        query = select(projects).where(projects.c.name > after).order_by(projects.c.name)
        if user is not None:
            belongs = (members.c.project == projects.c.name) & (members.c.user == user)
            query = query.join(members, belongs)
        async with self._database.reading() as connection:
            return [read_row(row, Project) for row in await connection.execute(query.limit(limit))]

    async def put_member(self, member: Member) -> None:
        is_same = (members.c.project == member.project) & (members.c.user == member.user)
        change = update(members).where(is_same).values(role=member.role.value)
        async with self._database.transaction() as connection:
            if (await connection.execute(change)).rowcount == 0:
                await connection.execute(insert(members).values(**write_row(member)))

    async def remove_member(self, project: ProjectName, user: UserId) -> bool:
        is_same = (members.c.project == project) & (members.c.user == user)
        async with self._database.transaction() as connection:
            return (await connection.execute(delete(members).where(is_same))).rowcount > 0

    async def find_member(self, project: ProjectName, user: UserId) -> Member | None:
        is_same = (members.c.project == project) & (members.c.user == user)
        found = await self._read(is_same)
        return found[0] if found else None

    async def list_members(self, project: ProjectName) -> Sequence[Member]:
        return await self._read(members.c.project == project)

    async def list_all_members(self) -> Sequence[Member]:
        return await self._read(whole=True)

    async def _read(
        self, *conditions: ColumnElement[bool], whole: bool = False
    ) -> Sequence[Member]:
        query = select(*self._members.columns).where(*conditions)
        query = query.order_by(members.c.project, members.c.user)
        async with self._database.reading() as connection:
            return self._members.read(await connection.execute(query), whole=whole)
