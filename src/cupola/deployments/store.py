"""What deployments keep, in the database."""

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from cupola.db.database import Database
from cupola.db.rows import Remembered, read_row, write_row
from cupola.db.tables import endpoints, instance_types, intervals, memory_use
from cupola.deployments.model import Endpoint, InstanceType, Interval
from cupola.ids import EndpointName, ModelName, ProjectName
from cupola.kit.errors import Conflict, Stale


class SqlEndpoints:
    """An `EndpointStore` in the table `endpoints`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Remembered(endpoints, Endpoint)

    async def add(self, endpoint: Endpoint) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(endpoints).values(**write_row(endpoint)))
        except IntegrityError as error:
            raise Conflict(f"There is an endpoint {endpoint.name!r} already.") from error

    async def save(self, endpoint: Endpoint) -> None:
        change = (
            update(endpoints)
            .where(endpoints.c.name == endpoint.name, endpoints.c.version == endpoint.version - 1)
            .values(**write_row(endpoint))
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(change)).rowcount == 0:
                raise Stale(f"The endpoint {endpoint.name!r} was changed meanwhile. Read it again.")

    async def delete(self, name: EndpointName) -> bool:
        async with self._database.transaction() as connection:
            done = await connection.execute(delete(endpoints).where(endpoints.c.name == name))
        return done.rowcount > 0

    async def find(self, name: EndpointName) -> Endpoint | None:
        query = select(endpoints).where(endpoints.c.name == name)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, Endpoint) if row else None

    async def list(
        self, *, project: ProjectName | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Endpoint]:
        query = select(*self._rows.columns).order_by(endpoints.c.name).limit(limit)
        if after:
            query = query.where(endpoints.c.name > after)
        if project is not None:
            query = query.where(endpoints.c.project == project)
        whole = not after and project is None and limit is None
        async with self._database.reading() as connection:
            return self._rows.read(await connection.execute(query), whole=whole)


class SqlInstanceTypes:
    """An `InstanceTypeStore` in the table `instance_types`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, instance_type: InstanceType) -> None:
        row = write_row(instance_type)
        change = update(instance_types).where(instance_types.c.name == instance_type.name)
        async with self._database.transaction() as connection:
            if (await connection.execute(change.values(**row))).rowcount == 0:
                await connection.execute(insert(instance_types).values(**row))

    async def delete(self, name: str) -> bool:
        statement = delete(instance_types).where(instance_types.c.name == name)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def find(self, name: str) -> InstanceType | None:
        query = select(instance_types).where(instance_types.c.name == name)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, InstanceType) if row else None

    async def list(self) -> Sequence[InstanceType]:
        query = select(instance_types).order_by(instance_types.c.name)
        async with self._database.reading() as connection:
            return [read_row(row, InstanceType) for row in await connection.execute(query)]


class SqlIntervals:
    """An `IntervalStore` in the table `intervals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, interval: Interval) -> None:
        async with self._database.transaction(watched=False) as connection:
            await connection.execute(insert(intervals).values(**write_row(interval)))

    async def touch(self, ids: Sequence[str], now: int) -> None:
        change = (
            update(intervals)
            .where(intervals.c.id.in_(ids), intervals.c.ended.is_(None))
            .values(seen=now)
        )
        async with self._database.transaction(watched=False) as connection:
            await connection.execute(change)

    async def close(self, interval: str, now: int) -> None:
        change = (
            update(intervals)
            .where(intervals.c.id == interval, intervals.c.ended.is_(None))
            .values(seen=now, ended=now)
        )
        async with self._database.transaction(watched=False) as connection:
            await connection.execute(change)

    async def close_lost(self) -> None:
        change = update(intervals).where(intervals.c.ended.is_(None)).values(ended=intervals.c.seen)
        async with self._database.transaction(watched=False) as connection:
            await connection.execute(change)

    async def list(self, project: ProjectName | None = None) -> Sequence[Interval]:
        query = select(intervals).order_by(intervals.c.started, intervals.c.id)
        if project is not None:
            query = query.where(intervals.c.project == project)
        async with self._database.reading() as connection:
            return [read_row(row, Interval) for row in await connection.execute(query)]


class SqlMemoryUse:
    """A `MemoryUseStore` in the table `memory_use`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, model: ModelName, quantisation: str, slots: int, context: int, memory: int
    ) -> None:
        key = {"model": model, "quantisation": quantisation, "slots": slots, "context": context}
        same = [memory_use.c[name] == value for name, value in key.items()]
        raise_it = update(memory_use).where(*same, memory_use.c.memory < memory)
        async with self._database.transaction(watched=False) as connection:
            known = select(func.count()).select_from(memory_use).where(*same)
            if (await connection.execute(known)).scalar_one():
                await connection.execute(raise_it.values(memory=memory))
            else:
                await connection.execute(insert(memory_use).values(**key, memory=memory))

    async def find(
        self, model: ModelName, quantisation: str, slots: int, context: int
    ) -> int | None:
        query = select(memory_use.c.memory).where(
            memory_use.c.model == model,
            memory_use.c.quantisation == quantisation,
            memory_use.c.slots == slots,
            memory_use.c.context == context,
        )
        async with self._database.reading() as connection:
            found: int | None = (await connection.execute(query)).scalar_one_or_none()
        return found
