"""What the management API keeps for itself: what repeated requests were answered."""

from dataclasses import dataclass
from typing import Final

KEPT_SECONDS: Final = 24 * 3600
"""How long a request with an `Idempotency-Key` is answered as it was the first time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request was answered."""

    key: str
    """Of the caller and their `Idempotency-Key`."""
    request: bytes
    """A digest of method, path and body: another one under the same key is a mistake."""
    status: int
    body: str
    """Without what may be shown once only."""
    created: int
    """Seconds since the Unix epoch."""
