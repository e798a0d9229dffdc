"""How much of anything one request may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request."""

    body_bytes: int = 4 * 1024 * 1024
    """Far more than the text that fits a context, and still little to hold in memory."""
    body_seconds: float = 30.0
    """For the whole body to arrive."""
    wait_seconds: float = 30.0
    """For a replica to become ready, all tries together; a killed engine is back within three."""
    tries: int = 3
    """Replicas one request may be given to: a request that kills its engine kills at most these."""
