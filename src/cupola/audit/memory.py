"""A log that lives as long as the object: the fake that ships."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from cupola.audit.model import AuditEntry
from cupola.ids import ProjectName


class MemoryAudit:
    """An `AuditStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []

    async def append(self, entry: AuditEntry) -> None:
        self._entries.append(replace(entry, sequence=len(self._entries) + 1))

    async def list(
        self, *, project: ProjectName | None = None, before: int = 0, limit: int = 100
    ) -> Sequence[AuditEntry]:
        found = [
            entry
            for entry in reversed(self._entries)
            if project in (None, entry.project) and (not before or entry.sequence < before)
        ]
        return found[:limit]


class MemoryWork:
    """A `UnitOfWork` for stores in memory, which cannot take back what they did."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield
