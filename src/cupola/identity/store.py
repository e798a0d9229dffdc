"""Users and sessions in the database."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cupola.db import tables
from cupola.db.database import Database
from cupola.db.rows import Remembered, read_row, write_row
from cupola.identity.model import Session, User
from cupola.ids import UserId
from cupola.kit.errors import Conflict, Stale

_users = tables.users
_sessions = tables.sessions


class SqlUsers:
    """A `UserStore` in the table `users`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Remembered(_users, User)

    async def add(self, user: User) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(_users).values(**write_row(user)))
        except IntegrityError as error:
            raise Conflict(f"There is a user {user.name!r} already.") from error

    async def save(self, user: User) -> None:
        change = (
            update(_users)
            .where(_users.c.id == user.id, _users.c.version == user.version - 1)
            .values(**write_row(user))
        )
        try:
            async with self._database.transaction() as connection:
                if (await connection.execute(change)).rowcount == 0:
                    raise Stale(f"The user {user.name!r} was changed meanwhile. Read them again.")
        except IntegrityError as error:
            raise Conflict(f"There is a user {user.name!r} already.") from error

    async def find(self, user: UserId) -> User | None:
        return await self._find(_users.c.id == user)

    async def find_named(self, name: str) -> User | None:
        return await self._find(_users.c.name == name)

    async def find_subject(self, issuer: str, subject: str) -> User | None:
        return await self._find((_users.c.issuer == issuer) & (_users.c.subject == subject))

    async def list(self) -> Sequence[User]:
        query = select(*self._rows.columns).order_by(_users.c.name)
        async with self._database.reading() as connection:
            return self._rows.read(await connection.execute(query), whole=True)

    async def _find(self, condition: ColumnElement[bool]) -> User | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(_users).where(condition))).one_or_none()
        return read_row(row, User) if row else None


class SqlSessions:
    """A `SessionStore` in the table `sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: Session) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(insert(_sessions).values(**write_row(session)))

    async def find(self, digest: bytes, now: int) -> Session | None:
        query = select(_sessions).where(_sessions.c.digest == digest, _sessions.c.expires > now)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, Session) if row else None

    async def end(self, session: str, user: UserId) -> None:
        ended = delete(_sessions).where(_sessions.c.id == session, _sessions.c.user == user)
        async with self._database.transaction() as connection:
            await connection.execute(ended)

    async def list(self, user: UserId, now: int) -> Sequence[Session]:
        query = (
            select(_sessions)
            .where(_sessions.c.user == user, _sessions.c.expires > now)
            .order_by(_sessions.c.created.desc(), _sessions.c.id.desc())
        )
        async with self._database.reading() as connection:
            return [read_row(row, Session) for row in await connection.execute(query)]

    async def sweep(self, now: int) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(delete(_sessions).where(_sessions.c.expires <= now))
