"""The installation's secret as a file that only its owner can read, and project keys' digests."""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from cupola.db.database import Database
from cupola.db.rows import Remembered, read_row, write_row
from cupola.db.tables import project_keys
from cupola.ids import ProjectName
from cupola.keys.model import SECRET_BYTES, ProjectKey
from cupola.kit.errors import Conflict, CupolaError


class DamagedSecret(CupolaError):
    """The file exists, but is not a secret. Said to the person who runs Cupola."""


class SecretFile:
    """A `SecretStore` in one file, mode 0600, written once and never again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure_secret(self) -> bytes:
        try:
            secret = self._path.read_bytes()
        except FileNotFoundError:
            self._create()
            secret = self._path.read_bytes()
        if len(secret) != SECRET_BYTES:
            raise DamagedSecret(
                f"{self._path} holds {len(secret)} bytes instead of {SECRET_BYTES}. Put the file "
                "back from a backup; or remove it, and every endpoint gets new keys."
            )
        return secret

    def _create(self) -> None:
        """Write beside, then link: the file is never seen half written, nor replaced."""
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            self._publish(draft)
        finally:
            draft.unlink()

    def _publish(self, draft: Path) -> None:
        with suppress(FileExistsError):  # another process was first, and its secret is the one
            self._path.hardlink_to(draft)


class SqlProjectKeys:
    """A `ProjectKeyStore` in the table `project_keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Remembered(project_keys, ProjectKey)

    async def add(self, key: ProjectKey) -> None:
        try:
            async with self._database.transaction() as connection:
                await connection.execute(insert(project_keys).values(**write_row(key)))
        except IntegrityError as error:
            raise Conflict(f"The project has a key {key.name!r} already.") from error

    async def find(self, project: ProjectName, key: str) -> ProjectKey | None:
        query = select(project_keys).where(
            project_keys.c.project == project, project_keys.c.id == key
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return read_row(row, ProjectKey) if row else None

    async def delete(self, project: ProjectName, key: str) -> bool:
        statement = delete(project_keys).where(
            project_keys.c.project == project, project_keys.c.id == key
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def list(
        self, project: ProjectName, *, after: str = "", limit: int | None = None
    ) -> Sequence[ProjectKey]:
        query = (
            select(project_keys)
            .where(project_keys.c.project == project, project_keys.c.name > after)
            .order_by(project_keys.c.name)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [read_row(row, ProjectKey) for row in await connection.execute(query)]

    async def list_all(self) -> Sequence[ProjectKey]:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(*self._rows.columns))
            return self._rows.read(rows, whole=True)
