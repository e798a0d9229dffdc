"""What the audit log needs from outside: a place that only grows."""

from collections.abc import Sequence
from typing import Protocol

from cupola.audit.model import AuditEntry
from cupola.ids import ProjectName


class AuditStore(Protocol):
    """Keeps lines.

    - `append` gives each line a sequence number above all before it.
    - `list` is newest first; `before` (exclusive, 0: from the end) and `limit` page through it.
      With `project`, only that project's lines.
    - There is no verb that changes or deletes.
    """

    async def append(self, entry: AuditEntry) -> None: ...

    async def list(
        self, *, project: ProjectName | None = None, before: int = 0, limit: int = 100
    ) -> Sequence[AuditEntry]: ...
