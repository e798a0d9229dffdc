"""The audit log in the database."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from cupola.audit.model import AuditEntry
from cupola.db.database import Database
from cupola.db.rows import read_row, write_row
from cupola.db.tables import audit
from cupola.ids import ProjectName


class SqlAudit:
    """An `AuditStore` in the table `audit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> None:
        columns = write_row(entry)
        del columns["sequence"]  # the database counts
        async with self._database.transaction() as connection:
            await connection.execute(insert(audit).values(**columns))

    async def list(
        self, *, project: ProjectName | None = None, before: int = 0, limit: int = 100
    ) -> Sequence[AuditEntry]:
        query = select(audit).order_by(audit.c.sequence.desc()).limit(limit)
        if project is not None:
            query = query.where(audit.c.project == project)
        if before:
            query = query.where(audit.c.sequence < before)
        async with self._database.reading() as connection:
            return [read_row(row, AuditEntry) for row in await connection.execute(query)]
