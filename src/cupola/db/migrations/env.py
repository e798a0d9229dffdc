"""How Alembic reaches the database: `db.migration` says where it is, and no ini file exists.

All revisions run in one transaction, so that a start that is killed leaves the old schema whole,
and under a lock, so that of two servers that start at once one migrates and the other finds it
done.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection

from cupola.db.engine import WRITES, open_engine
from cupola.db.migration import LOCK
from cupola.db.tables import metadata


async def _migrate() -> None:
    engine = open_engine(context.config.attributes["location"])
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**{WRITES: True})
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    context.configure(
        connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=True,  # SQLite cannot alter most of a table
    )
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        with context.begin_transaction():
            context.run_migrations()


asyncio.run(_migrate())
