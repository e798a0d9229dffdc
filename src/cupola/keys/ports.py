"""What the keys need from outside: a place that keeps the installation's secret."""

from typing import Protocol


class SecretStore(Protocol):
    """Keeps one secret for ever.

    - `ensure_secret` makes it on the first call and returns the same bytes ever after, also to
      another process that calls at the same moment.
    - It returns `keys.model.SECRET_BYTES` bytes, or raises `CupolaError` with a mend.
    """

    def ensure_secret(self) -> bytes:
        """The installation's secret."""
        ...
