"""Endpoints in the database."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.exc import IntegrityError

from cupola.db.database import Database
from cupola.db.tables import endpoints
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.ids import EndpointName
from cupola.kit.errors import Conflict


class SqlEndpoints:
    """An `EndpointStore` in the table `endpoints`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, endpoint: Endpoint) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(endpoints).values(**asdict(endpoint)))
        except IntegrityError as error:
            raise Conflict(f"There is an endpoint {endpoint.name!r} already.") from error

    async def find(self, name: EndpointName) -> Endpoint | None:
        query = select(endpoints).where(endpoints.c.name == name)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _read(row) if row else None

    async def list(self) -> Sequence[Endpoint]:
        query = select(endpoints).order_by(endpoints.c.created, endpoints.c.name)
        async with self._database.transaction() as connection:
            return [_read(row) for row in await connection.execute(query)]


def _read(row: Row[Any]) -> Endpoint:
    columns = dict(row._mapping)
    return Endpoint(**(columns | {"kind": EndpointKind(columns["kind"])}))
