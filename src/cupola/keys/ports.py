"""What the keys need from outside: the installation's secret, and a place for project keys."""

from collections.abc import Sequence
from typing import Protocol

from cupola.ids import ProjectName
from cupola.keys.model import ProjectKey


class SecretStore(Protocol):
    """Keeps one secret for ever.

    - `ensure_secret` makes it on the first call and returns the same bytes ever after, also to
      another process that calls at the same moment.
    - It returns `keys.model.SECRET_BYTES` bytes, or raises `CupolaError` with a mend.
    """

    def ensure_secret(self) -> bytes:
        """The installation's secret."""
        ...


class ProjectKeyStore(Protocol):
    """Keeps project keys.

    - `add` raises `Conflict` if the project has a key of that name, and then changes nothing.
    - `find` returns None for an id that is not there, or that belongs to another project.
    - `delete` says whether there was one.
    - `list` is sorted by name; `after` is exclusive, `limit` None means all.
    - `list_all` is every project's, in any order.
    """

    async def add(self, key: ProjectKey) -> None: ...

    async def find(self, project: ProjectName, key: str) -> ProjectKey | None: ...

    async def delete(self, project: ProjectName, key: str) -> bool: ...

    async def list(
        self, project: ProjectName, *, after: str = "", limit: int | None = None
    ) -> Sequence[ProjectKey]: ...

    async def list_all(self) -> Sequence[ProjectKey]: ...
