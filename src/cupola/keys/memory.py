"""A secret that lives as long as the object: the fake that ships."""

import secrets

from cupola.keys.model import SECRET_BYTES


class MemorySecret:
    """A `SecretStore` without a file."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(SECRET_BYTES)

    def ensure_secret(self) -> bytes:
        return self._secret
