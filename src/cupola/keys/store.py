"""The installation's secret as a file that only its owner can read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cupola.keys.model import SECRET_BYTES
from cupola.kit.errors import CupolaError


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
