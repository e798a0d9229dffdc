"""A secret and project keys that live as long as the object: the fakes that ship."""

import secrets
from collections.abc import Sequence

from cupola.ids import ProjectName
from cupola.keys.model import SECRET_BYTES, ProjectKey
from cupola.kit.errors import Conflict


class MemorySecret:
    """A `SecretStore` without a file."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(SECRET_BYTES)

    def ensure_secret(self) -> bytes:
        return self._secret


class MemoryProjectKeys:
    """A `ProjectKeyStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._keys: dict[str, ProjectKey] = {}

    async def add(self, key: ProjectKey) -> None:
        if any(key.name == each.name for each in await self.list(key.project)):
            raise Conflict(f"The project has a key {key.name!r} already.")
        self._keys[key.id] = key

    async def find(self, project: ProjectName, key: str) -> ProjectKey | None:
        found = self._keys.get(key)
        return found if found and found.project == project else None

    async def delete(self, project: ProjectName, key: str) -> bool:
        if await self.find(project, key) is None:
            return False
        del self._keys[key]
        return True

    async def list(
        self, project: ProjectName, *, after: str = "", limit: int | None = None
    ) -> Sequence[ProjectKey]:
        found = [
            key
            for key in sorted(self._keys.values(), key=lambda key: key.name)
            if key.project == project and key.name > after
        ]
        return found[:limit]

    async def list_all(self) -> Sequence[ProjectKey]:
        return list(self._keys.values())
