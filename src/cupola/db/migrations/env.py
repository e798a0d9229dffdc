"""How Alembic reaches the database: `db.migration` hands it the file, and no ini file exists."""

from alembic import context
from sqlalchemy import create_engine

from cupola.db.tables import metadata

engine = create_engine(f"sqlite:///{context.config.attributes['file']}")
with engine.connect() as connection:
    # SQLite cannot alter most of a table, so later revisions will need batch mode.
    context.configure(connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
