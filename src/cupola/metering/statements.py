"""The ledger's writing statements, from the tables' own columns. No SQL here comes from outside."""

from collections.abc import Sequence
from typing import Final

from cupola.metering.model import UsageRecord
from cupola.metering.usage import SUMMED, Group

COLUMNS: Final = UsageRecord.__struct_fields__
"""Of a record, in the order of its fields."""
GROUPS: Final = Group._fields


def names(columns: Sequence[str]) -> str:
    """Quoted, since some are words of SQL."""
    return ", ".join(f'"{column}"' for column in columns)


def insert_record() -> str:
    """One record, unless its request is there; for SQLite."""
    marks = ", ".join("?" * len(COLUMNS))
    return (
        f"INSERT INTO usage_records ({names(COLUMNS)}) VALUES ({marks}) "
        'ON CONFLICT ("request") DO NOTHING'
    )


def add_sums(table: str) -> str:
    """One row of a roll-up, added to the one that is there; for SQLite."""
    columns = (*GROUPS, *SUMMED)
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({names(columns)}) VALUES ({marks}) {_on_conflict(table)}"


def write_batch(kinds: Sequence[str]) -> str:
    """Records, and the roll-ups of those that were not there: one statement of PostgreSQL.

    Args:
        kinds: The columns' types; each parameter is an array of one column's values.
    """
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1))
    columns = names(COLUMNS)
    return (
        f"WITH fresh AS (INSERT INTO usage_records ({columns}) "
        f"SELECT * FROM unnest({arrays}) "
        f'ON CONFLICT ("request") DO NOTHING RETURNING *), '
        f"hours AS ({_roll_up('usage_hours', 3600)}), days AS ({_roll_up('usage_days', 86400)}) "
        "SELECT count(*) FROM fresh"
    )


def _roll_up(table: str, grain: int) -> str:
    """Sorted, so that writers of several processes come to the rows in the same order."""
    groups = names(GROUPS[1:])
    start = f"floor(time)::bigint / {grain} * {grain}"
    sums = (
        "count(*), count(*) FILTER (WHERE status >= 400 OR status = 0), sum(prompt)::bigint, "
        "sum(cached)::bigint, sum(completion)::bigint, sum(cost)::bigint"
    )
    order = ", ".join(str(number) for number in range(1, len(GROUPS) + 1))
    return (
        f"INSERT INTO {table} ({names((*GROUPS, *SUMMED))}) "
        f"SELECT {start}, {groups}, {sums} FROM fresh GROUP BY {order} ORDER BY {order} "
        f"{_on_conflict(table)}"
    )


def _on_conflict(table: str) -> str:
    sums = ", ".join(f'"{name}" = {table}."{name}" + excluded."{name}"' for name in SUMMED)
    return f"ON CONFLICT ({names(GROUPS)}) DO UPDATE SET {sums}"
