"""Subscriptions in the database."""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from cupola.db.database import Database
from cupola.db.rows import read_row, write_row
from cupola.db.tables import subscriptions
from cupola.ids import ModelName, ProjectName
from cupola.subscriptions.model import Subscription


class SqlSubscriptions:
    """A `SubscriptionStore` in the table `subscriptions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, subscription: Subscription) -> None:
        async with self._database.transaction() as connection:
            if await self.find(subscription.project, subscription.model) is None:
                await connection.execute(insert(subscriptions).values(**write_row(subscription)))

    async def find(self, project: ProjectName, model: ModelName) -> Subscription | None:
        query = select(subscriptions).where(
            subscriptions.c.project == project, subscriptions.c.model == model
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, Subscription) if row else None

    async def delete(self, project: ProjectName, model: ModelName) -> bool:
        statement = delete(subscriptions).where(
            subscriptions.c.project == project, subscriptions.c.model == model
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def list(self, project: ProjectName) -> Sequence[Subscription]:
        query = select(subscriptions).where(subscriptions.c.project == project)
        async with self._database.reading() as connection:
            rows = await connection.execute(query.order_by(subscriptions.c.model))
            return [read_row(row, Subscription) for row in rows]
