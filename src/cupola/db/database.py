"""The open database: a pool of connections, and transactions on them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from cupola.db.engine import WRITES, Location, open_engine
from cupola.db.tables import changes
from cupola.kit.errors import Unavailable

_RETRY_AFTER = 2.0


class Database:
    """Transactions on a database whose schema `migration.ensure_schema` brought up to date.

    In SQLite the write-ahead log lets readers and one writer work at once, and survives kill -9;
    with `synchronous = FULL` a commit also survives a power cut. PostgreSQL does the same by
    itself.

    What is opened inside a transaction joins it, so that a change and its line in the audit log are
    there together or not at all.

    Every verb raises `Unavailable` while the database cannot be reached.
    """

    def __init__(self, location: Location) -> None:
        self._engine = open_engine(location)
        self._current: ContextVar[AsyncConnection | None] = ContextVar("transaction", default=None)

    @asynccontextmanager
    async def transaction(self, *, watched: bool = True) -> AsyncIterator[AsyncConnection]:
        """One unit of work: committed when the outermost block ends well, else rolled back.

        It is meant for changes: these are made one after the other, on SQLite because it has one
        writer, on PostgreSQL because they count up the same row.

        Args:
            watched: False: a note that nobody waits for (`db.watch`), like "still running".
        """
        current = self._current.get()
        if current is not None:
            yield current
            return
        async with self._connect(**{WRITES: True}) as connection:
            token = self._current.set(connection)
            try:
                if watched:  # first, not last: who waits for another's change then sees all of it
                    await connection.execute(update(changes).values(number=changes.c.number + 1))
                yield connection
            finally:
                self._current.reset(token)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view; of the transaction it is in, if it is in one. Waits for no writer."""
        current = self._current.get()
        if current is not None:
            yield current
            return
        async with self._connect(**self._snapshot()) as connection:
            yield connection

    async def count_changes(self) -> int:
        """How many transactions there have been: a number that grows when anything changes."""
        async with self.reading() as connection:
            number: int = (await connection.execute(select(changes.c.number))).scalar_one()
        return number

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def _connect(self, **options: object) -> AsyncIterator[AsyncConnection]:
        with _explaining():
            async with self._engine.connect() as connection:
                await connection.execution_options(**options)
                async with connection.begin():
                    yield connection

    def _snapshot(self) -> dict[str, object]:
        if self._engine.dialect.name == "sqlite":
            return {}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@contextmanager
def _explaining() -> Iterator[None]:
    """The failures of a database that is away, or busy for too long, in words for callers."""
    try:
        yield
    except (OperationalError, InterfaceError, OSError, TimeoutError) as error:
        raise _absent(error) from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise _absent(error) from error


def _absent(error: Exception) -> Unavailable:
    return Unavailable(
        "The database cannot be reached now; nothing was changed. Try again in a moment.",
        private=f"The database failed: {error}",
        retry_after=_RETRY_AFTER,
    )
