"""What the audit log needs from outside: a place that only grows, and transactions."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
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


class UnitOfWork(Protocol):
    """Where changes are made together or not at all.

    - What stores do inside `transaction` is there when the block has ended well, and none of it
      is if it did not.
    - A transaction inside another is a part of that one.
    """

    def transaction(self) -> AbstractAsyncContextManager[object]: ...


class Named(Protocol):
    """Somebody with a name."""

    @property
    def name(self) -> str: ...


class Asker(Protocol):
    """Who asks for a change, as the log needs to know it (`identity.model.Principal`)."""

    @property
    def user(self) -> Named: ...

    @property
    def source(self) -> str: ...
