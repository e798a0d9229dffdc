"""The limits of keys and projects in the database."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, delete, insert, select, update

from cupola.db import tables
from cupola.db.database import Database
from cupola.quotas.model import Bound, Limits, Scope

_limits = tables.limits


class SqlLimits:
    """A `LimitStore` in the table `limits`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, bound: Bound) -> None:
        scope, values = bound.scope, msgspec.to_builtins(bound.limits)
        change = update(_limits).where(_is(scope)).values(limits=values)
        async with self._database.transaction() as connection:
            if (await connection.execute(change)).rowcount == 0:
                row = insert(_limits).values(kind=scope.kind, id=scope.id, limits=values)
                await connection.execute(row)

    async def find(self, scope: Scope) -> Limits | None:
        query = select(_limits.c.limits).where(_is(scope))
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return None if found is None else msgspec.convert(found, Limits)

    async def delete(self, scope: Scope) -> bool:
        async with self._database.transaction() as connection:
            return (await connection.execute(delete(_limits).where(_is(scope)))).rowcount > 0

    async def list(self) -> Sequence[Bound]:
        query = select(_limits).order_by(_limits.c.kind, _limits.c.id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [Bound(Scope(row.kind, row.id), msgspec.convert(row.limits, Limits)) for row in rows]


def _is(scope: Scope) -> ColumnElement[bool]:
    return (_limits.c.kind == scope.kind) & (_limits.c.id == scope.id)
