"""Bringing a database's schema to the revision this code needs, at every start.

A current schema is recognised with one SQL statement. Only when there is something to do is
Alembic imported, which costs more than all the rest of a start.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from cupola.kit.errors import CupolaError

HEAD = "0002"
"""The newest file in `migrations/versions`; a test keeps it so."""

_SCRIPTS = Path(__file__).with_name("migrations")


class SchemaTooNew(CupolaError):
    """A later Cupola wrote this database. Said to the person who runs Cupola."""


def ensure_schema(file: Path) -> None:
    """Create the database, or migrate it; do nothing if it is current."""
    revision = find_revision(file)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise SchemaTooNew(
            f"{file} was written by a later version of Cupola (schema {revision}; this version "
            f"knows {HEAD}). Start that version, or choose another folder with --home."
        )
    _upgrade(file)


def find_revision(file: Path) -> str | None:
    """The schema's revision; None for a database that is not there or empty."""
    if not file.exists():
        return None
    with closing(sqlite3.connect(file)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:  # no such table
            return None
    return str(row[0]) if row else None


def _upgrade(file: Path) -> None:
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # seven lines of no use
    from alembic import command  # noqa: PLC0415  0.2 s and 12 MB that most starts do not need
    from alembic.config import Config  # noqa: PLC0415  as above

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["file"] = file
    command.upgrade(config, "head")
