"""How much of anything one request may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request."""

    body_bytes: int = 4 * 1024 * 1024
    """Forty times the text that fits the largest context in the catalog."""
    body_seconds: float = 30.0
    """For the whole body to arrive."""
    wait_seconds: float = 30.0
    """For a replica to become ready, all tries together; engines restart in a tenth of this."""
    tries: int = 3
    """Replicas one request may be given to: a request that kills its engine kills at most these."""
