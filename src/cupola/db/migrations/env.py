"""How Alembic reaches the database: `db.migration` hands it the file, and no ini file exists.

All revisions run in one transaction, so that a start that is killed leaves the old schema whole.
"""

from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, event

from cupola.db.tables import metadata

engine = create_engine(f"sqlite:///{context.config.attributes['file']}")


@event.listens_for(engine, "connect")
def _leave_transactions_to_us(connection: Any, _record: object) -> None:
    """Python's sqlite3 begins none before CREATE TABLE, so each would commit by itself."""
    connection.isolation_level = None


@event.listens_for(engine, "begin")
def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.connect() as connection:
    context.configure(
        connection,
        target_metadata=metadata,
        transactional_ddl=True,
        render_as_batch=True,  # SQLite cannot alter most of a table
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
