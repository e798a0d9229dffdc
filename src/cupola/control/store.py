"""Replies in the database."""

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from cupola.control.model import Reply
from cupola.db.database import Database
from cupola.db.rows import read_row, write_row
from cupola.db.tables import replies
from cupola.kit.errors import Conflict


class SqlReplies:
    """A `ReplyStore` in the table `replies`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key: str) -> Reply | None:
        query = select(replies).where(replies.c.key == key)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, Reply) if row else None

    async def add(self, reply: Reply) -> None:
        try:
            async with self._database.transaction(watched=False) as connection:
                await connection.execute(insert(replies).values(**write_row(reply)))
        except IntegrityError as error:
            raise Conflict(
                "A request with this Idempotency-Key is being answered. Try again."
            ) from error

    async def sweep(self, before: int) -> None:
        async with self._database.transaction(watched=False) as connection:
            await connection.execute(delete(replies).where(replies.c.created < before))
