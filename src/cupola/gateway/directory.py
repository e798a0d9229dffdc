"""What the hot path knows: a snapshot of endpoints and keys, replaced whole when either changes.

The control plane pushes; a request reads one snapshot and never waits for a database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cupola.engines.port import Profile, Replica
from cupola.ids import EndpointName, ModelName


class Pool(Protocol):
    """The replicas behind one endpoint, kept running by someone else."""

    def ready(self) -> Sequence[Replica]:
        """Replicas that can answer now; may be empty."""
        ...

    async def wait_ready(self, timeout: float) -> bool:
        """Wait until `ready` is not empty, at most `timeout` seconds; whether it is."""
        ...

    def reason(self) -> str:
        """Why no replica is ready, in a sentence that may be shown to callers."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """One endpoint, ready to be called (or waiting for its first replica)."""

    endpoint: EndpointName
    model: ModelName
    provider: str
    """As `/info` names it: `MistralAI`, `Meta`, `Cupola`."""
    model_type: str
    """As `/info` names it: `chat-completions`."""
    created: int
    """Seconds since the Unix epoch."""
    profile: Profile
    default_temperature: float
    pool: Pool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the gateway may know at one moment."""

    endpoints: Mapping[EndpointName, Served] = field(default_factory=dict)
    keys: Mapping[bytes, frozenset[EndpointName]] = field(default_factory=dict)
    """Digest of a key (`keys.model.digest`) -> the endpoints it may call."""


class Directory:
    """Holds the current snapshot; one per process, passed to whoever reads or replaces it."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()

    def replace(self, snapshot: Snapshot) -> None:
        """Every request that starts from now on sees `snapshot`."""
        self.snapshot = snapshot
