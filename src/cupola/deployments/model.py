"""Endpoints, and the pure decisions about their replicas.

    state       replica ready   replica ended    stop asked
    starting    ready           backing off      stopped
    ready       -               backing off      stopped
    backing off starting (when the pause is over)  stopped
    stopped     -               -                -

A pause before a restart doubles with every failure in a row.
"""

from dataclasses import dataclass
from enum import StrEnum

from cupola.ids import EndpointName, ModelName


class EndpointKind(StrEnum):
    """How an endpoint's replicas are owned and billed."""

    SERVERLESS = "serverless"
    """Shared replicas, billed by token."""
    MANAGED = "managed"
    """Own instances, billed by core hour."""
    UPSTREAM = "upstream"
    """Somebody else's: requests are handed on to another service."""


class EndpointState(StrEnum):
    """What a caller may expect of an endpoint."""

    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing_off"
    """Its engine ended and will be started again after a pause."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A name that clients call, and the model behind it."""

    name: EndpointName
    kind: EndpointKind
    model: ModelName
    created: int
    """Seconds since the Unix epoch."""
    primary_generation: int = 1
    secondary_generation: int = 1
    """Each regeneration of a key counts one up (`keys.model.derive`)."""


FIRST_PAUSE = 0.1
"""Seconds before the first restart: a killed engine must be back within three seconds."""
LONGEST_PAUSE = 30.0
HEALTHY_AFTER = 60.0
"""Seconds a replica must have run for its next failure to count as the first."""


def pause_before_restart(failures: int) -> float:
    """Seconds to wait after the `failures`-th failure in a row (1, 2 ...): doubles, is bounded."""
    doublings = min(failures - 1, 16)  # bounded, so that the power cannot grow without limit
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings))


def count_failures(before: int, ran: float) -> int:
    """Failures in a row, now that a replica ended that had run for `ran` seconds."""
    return 1 if ran >= HEALTHY_AFTER else before + 1
