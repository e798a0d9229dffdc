"""Metering in the database: reading the ledger, and prices, budgets and notices."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cupola.db.database import Database
from cupola.db.rows import read_row, write_row
from cupola.db.tables import (
    budgets,
    intervals,
    notices,
    prices,
    usage_days,
    usage_hours,
    usage_records,
)
from cupola.kit.errors import Conflict, Stale
from cupola.metering.budget import TOKENS, Budget, Notice, Scope, Spending
from cupola.metering.hours import KeptDays
from cupola.metering.model import DAY, HOUR, Price, UsageRecord
from cupola.metering.usage import (
    SUMMED,
    TIMES,
    Dimension,
    InstanceInterval,
    Query,
    Sums,
    UsageRow,
    cover,
)

_ROLL_UPS: Mapping[int, Table] = {HOUR: usage_hours, DAY: usage_days}
_SLICE: Final = 8 * DAY
_TURN: Final = 500
"""Rows that are made out of the database's before others have their turn."""
_RECORD = [usage_records.c[name] for name in UsageRecord.__struct_fields__]


class SqlUsage:
    """A `UsageStore` on the database that holds the ledger."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._kept = KeptDays()

    async def sum(self, query: Query, limit: int) -> Sequence[UsageRow]:
        found: list[UsageRow] = []
        async with self._ledger.reading() as connection:
            if query.grain == HOUR:
                return await self._sum_hours(connection, query, limit)
            for grain, start, end in _slice(query):
                found += await _read_piece(connection, query, grain, start, end, limit)
                if query.grain and len(found) >= limit:  # slices of time have no row in common
                    break
        return found

    async def _sum_hours(
        self, connection: AsyncConnection, query: Query, limit: int
    ) -> Sequence[UsageRow]:
        """Day by day: most are known already."""
        found: list[UsageRow] = []
        report = (query.by, frozenset(query.where.items()))
        first = query.start // DAY * DAY
        requests = await _count_requests(connection, first, query.end)
        for day in range(first, query.end, DAY):
            start, end = max(query.start, day), min(query.end, day + DAY)
            is_whole, number = end - start == DAY, requests.get(day, 0)
            rows = self._kept.find(day, report, number) if is_whole else None
            if rows is None and number:
                rows = await _read_piece(connection, query, HOUR, start, end, limit)
                if is_whole and len(rows) < limit:
                    self._kept.keep(day, report, number, rows)
            found += rows or ()
            if len(found) >= limit:
                break
        return found

    async def page(
        self,
        after: tuple[float, int],
        until: float,
        where: Mapping[Dimension, frozenset[str]],
        limit: int,
    ) -> Sequence[tuple[tuple[float, int], UsageRecord]]:
        columns = usage_records.c
        query = (
            select(columns.sequence, *_RECORD)
            .where(tuple_(columns.time, columns.sequence) > after, columns.time < until)
            .where(*_filter(usage_records, where))
            .order_by(columns.time, columns.sequence)
            .limit(limit)
        )
        async with self._ledger.reading() as connection:
            return [_read_record(row) for row in await connection.execute(query)]

    async def spend(
        self, project: str, scope: Scope, subject: str, start: int
    ) -> Mapping[str, int]:
        columns = usage_days.c
        query = (
            select(
                columns.currency,
                func.sum(columns.prompt + columns.completion),
                func.sum(columns.cost),
            )
            .where(columns.project == project, columns.start >= start)
            .where(columns[scope.value] == subject)
            .group_by(columns.currency)
        )
        spent = {TOKENS: 0}
        async with self._ledger.reading() as connection:
            for currency, tokens, cost in await connection.execute(query):
                spent[TOKENS] += int(tokens)
                if currency:
                    spent[currency] = int(cost)
        return spent

    async def spends(self, start: int) -> Mapping[tuple[str, Scope, str], Mapping[str, int]]:
        columns = usage_days.c
        place = (columns.project, columns.endpoint, columns.key, columns.currency)
        tokens = func.sum(columns.prompt + columns.completion)
        query = select(*place, tokens, func.sum(columns.cost)).where(columns.start >= start)
        spending = Spending()
        async with self._ledger.reading() as connection:
            rows = (await connection.execute(query.group_by(*place))).all()
        for number, (project, endpoint, key, currency, used, cost) in enumerate(rows, 1):
            spending.add(project, endpoint, key, currency, int(used), int(cost))
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return spending.found


def _slice(query: Query) -> Iterator[tuple[int, int, int]]:
    """The period in pieces of a roll-up each. If its days are told apart, long ones are cut, so
    that a report that is too long is not read to its end."""
    for grain, start, end in cover(query.start, query.end):
        step = _SLICE if query.grain else end - start
        for begin in range(start, end, step):
            yield grain, begin, min(end, begin + step)


async def _count_requests(connection: AsyncConnection, start: int, end: int) -> Mapping[int, int]:
    """Of each day, whoever's they were."""
    columns = usage_days.c
    query = (
        select(columns.start, func.sum(columns.requests))
        .where(columns.start >= start, columns.start < end)
        .group_by(columns.start)
    )
    return {day: int(number) for day, number in await connection.execute(query)}


async def _read_piece(
    connection: AsyncConnection, query: Query, grain: int, start: int, end: int, limit: int
) -> list[UsageRow]:
    selected = _sum_piece(query, _ROLL_UPS[grain], start, end).limit(limit)
    rows = (await connection.execute(selected)).all()
    found: list[UsageRow] = []
    for place in range(0, len(rows), _TURN):
        found += [_read_sums(row, len(query.by)) for row in rows[place : place + _TURN]]
        await asyncio.sleep(0)  # or requests would wait until a long report is read
    return found


def _sum_piece(query: Query, table: Table, start: int, end: int) -> Select[Any]:
    groups = [_group(table, query, by) for by in query.by]
    sums = [func.sum(table.c[name]) for name in SUMMED]
    return (
        select(*groups, table.c.currency, *sums)
        .where(table.c.start >= start, table.c.start < end)
        .where(*_filter(table, query.where))
        .group_by(*groups, table.c.currency)
    )


def _group(table: Table, query: Query, by: Dimension) -> ColumnElement[Any]:
    if by not in TIMES:
        return table.c[by.value]
    # Cut off in whole numbers, which both databases do alike; an hour's row needs no cutting.
    start: ColumnElement[Any] = table.c.start
    return start if query.grain == HOUR else start - start % DAY


def _filter(
    table: Table, where: Mapping[Dimension, frozenset[str]]
) -> Sequence[ColumnElement[bool]]:
    return [table.c[name.value].in_(sorted(values)) for name, values in where.items()]


def _read_sums(row: Sequence[Any], groups: int) -> UsageRow:
    return UsageRow(tuple(row[:groups]), row[groups], Sums(*map(int, row[groups + 1 :])))


def _read_record(row: Sequence[Any]) -> tuple[tuple[float, int], UsageRecord]:
    record = UsageRecord(*row[1:])
    return (record.time, row[0]), record


class SqlIntervals:
    """An `IntervalSource` on the main database, where the fleet keeps them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(self, start: int, end: int) -> Sequence[InstanceInterval]:
        columns = intervals.c
        query = (
            select(intervals)
            .where(columns.started < end, func.coalesce(columns.ended, columns.seen) > start)
            .order_by(columns.started, columns.id)
        )
        async with self._database.reading() as connection:
            return [_read_interval(row) for row in await connection.execute(query)]


def _read_interval(row: Any) -> InstanceInterval:
    return InstanceInterval(
        row.endpoint,
        row.deployment,
        row.project,
        row.model,
        row.instance_type,
        row.cores,
        row.started,
        row.seen if row.ended is None else row.ended,
    )


class SqlPrices:
    """A `PriceStore` on the main database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, price: Price) -> Price:
        values = write_row(price)
        del values["version"]
        async with self._database.transaction() as connection:
            done = await connection.execute(insert(prices).values(**values).returning(prices))
            return read_row(done.one(), Price)

    async def list(self) -> Sequence[Price]:
        query = select(prices).order_by(prices.c.version)
        async with self._database.reading() as connection:
            return [read_row(row, Price) for row in await connection.execute(query)]


class SqlBudgets:
    """A `BudgetStore` on the main database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, budget: Budget) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(budgets).values(**write_row(budget)))
        except IntegrityError as error:
            raise Conflict("There is a budget of this id already, or no such project.") from error

    async def save(self, budget: Budget) -> None:
        change = (
            update(budgets)
            .where(budgets.c.id == budget.id, budgets.c.version == budget.version - 1)
            .values(**write_row(budget))
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(change)).rowcount == 0:
                raise Stale("The budget was changed meanwhile. Read it again.")

    async def delete(self, budget: str) -> bool:
        async with self._database.transaction() as connection:
            done = await connection.execute(delete(budgets).where(budgets.c.id == budget))
        return done.rowcount > 0

    async def find(self, budget: str) -> Budget | None:
        async with self._database.reading() as connection:
            found = await connection.execute(select(budgets).where(budgets.c.id == budget))
            row = found.one_or_none()
        return read_row(row, Budget) if row else None

    async def list(self, project: str | None = None) -> Sequence[Budget]:
        query = select(budgets).order_by(budgets.c.id)
        if project is not None:
            query = query.where(budgets.c.project == project)
        async with self._database.reading() as connection:
            return [read_row(row, Budget) for row in await connection.execute(query)]


class SqlNotices:
    """A `NoticeStore` on the main database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, notice: Notice) -> bool:
        columns = notices.c
        same = select(columns.id).where(
            columns.budget == notice.budget,
            columns.start == notice.start,
            columns.share == notice.share,
        )
        # Nobody comes in between: transactions that change something take turns.
        async with self._database.transaction() as connection:
            if (await connection.execute(same)).one_or_none() is not None:
                return False
            await connection.execute(insert(notices).values(**write_row(notice)))
        return True

    async def claim(self, now: int, again: int, limit: int) -> Sequence[Notice]:
        due = select(notices).where(notices.c.due <= now)
        query = due.order_by(notices.c.due, notices.c.id).limit(limit)
        async with self._database.reading() as connection:
            if (await connection.execute(query.limit(1))).first() is None:
                return ()  # which is so nearly always, and is no change
        async with self._database.transaction() as connection:
            found = [read_row(row, Notice) for row in await connection.execute(query)]
            claimed = [each.id for each in found]
            change = update(notices).where(notices.c.id.in_(claimed)).values(due=again)
            await connection.execute(change)
        return [replace(each, due=again) for each in found]

    async def save(self, notice: Notice) -> None:
        change = update(notices).where(notices.c.id == notice.id).values(**write_row(notice))
        async with self._database.transaction() as connection:
            await connection.execute(change)

    async def list(self, project: str, limit: int = 100) -> Sequence[Notice]:
        query = select(notices).where(notices.c.project == project).limit(limit)
        query = query.order_by(notices.c.created.desc(), notices.c.id)
        async with self._database.reading() as connection:
            return [read_row(row, Notice) for row in await connection.execute(query)]

    async def said(self, budget: str, start: int) -> frozenset[int]:
        columns = notices.c
        query = select(columns.share).where(columns.budget == budget, columns.start == start)
        async with self._database.reading() as connection:
            return frozenset(share for (share,) in await connection.execute(query))
