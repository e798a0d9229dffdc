"""The verbs of the audit log: make a change and tell of it, and read what was told."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from cupola.audit.model import AuditEntry
from cupola.audit.ports import Asker, AuditStore, UnitOfWork
from cupola.ids import ProjectName
from cupola.kit.clock import Clock

PLATFORM: Final = "cupola"
"""Actor and source of what the platform does by itself."""


@dataclass(slots=True)
class Change:
    """What a change does, filled in by whoever makes it. Neither side may hold a secret."""

    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class Audit:
    """Every change goes through here, so that none is without its line."""

    def __init__(self, store: AuditStore, work: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._work = work
        self._clock = clock

    @asynccontextmanager
    async def change(
        self, by: Asker | None, action: str, target: str, project: ProjectName | None = None
    ) -> AsyncIterator[Change]:
        """One unit of work, and its line in the log, there together or not at all.

        A block that ends with both sides equal has changed nothing, and gets no line.

        Args:
            by: None: the platform itself.
        """
        async with self._work.transaction():
            change = Change()
            yield change
            if change.before != change.after:
                await self.record(by, action, target, project, change.before, change.after)

    async def record(
        self,
        by: Asker | None,
        action: str,
        target: str,
        project: ProjectName | None,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> None:
        """A line, in the transaction that the caller is in."""
        entry = AuditEntry(
            time=self._clock.now(),
            actor=by.user.name if by else PLATFORM,
            action=action,
            target=target,
            project=project,
            source=by.source if by else PLATFORM,
            before=before,
            after=after,
        )
        await self._store.append(entry)

    async def list(
        self, project: ProjectName | None = None, *, before: int = 0, limit: int = 100
    ) -> Sequence[AuditEntry]:
        """Newest first; of all projects and of the platform if `project` is None."""
        return await self._store.list(project=project, before=before, limit=limit)
