"""What deployments need from outside: places that keep what is wanted and what ran, weights, and
somewhere to run replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cupola.deployments.fit import Machine
from cupola.deployments.model import (
    DeploymentStatus,
    Endpoint,
    InstanceType,
    Interval,
    WeightsState,
)
from cupola.deployments.situation import Cohort
from cupola.engines.port import Profile, Replica
from cupola.ids import EndpointName, ModelName, ProjectName, ReplicaId


class EndpointStore(Protocol):
    """Keeps endpoints with their deployments.

    - `add` raises `Conflict` if the name is taken, and then changes nothing.
    - `save` replaces the endpoint whose version is one less, else raises `Stale`.
    - `delete` says whether there was one.
    - `find` returns None for a name that was not added.
    - `list` is sorted by name; `after` is exclusive, `limit` None means all.
    - What returned is there after a restart, whatever ended the process.
    """

    async def add(self, endpoint: Endpoint) -> None: ...

    async def save(self, endpoint: Endpoint) -> None: ...

    async def delete(self, name: EndpointName) -> bool: ...

    async def find(self, name: EndpointName) -> Endpoint | None: ...

    async def list(
        self, *, project: ProjectName | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Endpoint]: ...


class InstanceTypeStore(Protocol):
    """Keeps the kinds of instance that an administrator offers.

    - `put` adds or replaces; `delete` says whether there was one; `list` is sorted by name.
    - `find` returns None for a name that is not there.
    """

    async def put(self, instance_type: InstanceType) -> None: ...

    async def delete(self, name: str) -> bool: ...

    async def find(self, name: str) -> InstanceType | None: ...

    async def list(self) -> Sequence[InstanceType]: ...


class FleetView(Protocol):
    """What runs, as others may see it.

    - `describe` has a status for each deployment that runs, should run, or still ends; for an
      endpoint that it has not looked at yet, and for one that is gone, there is none.
    - `wake` says that something else may be wanted now. It returns at once.
    """

    def describe(self, endpoint: EndpointName) -> Sequence[DeploymentStatus]: ...

    def wake(self) -> None: ...


class IntervalStore(Protocol):
    """Keeps when instances ran.

    - `open` adds one; `touch` says that those of `ids` still ran at `now`; `close` ends one.
    - `close_lost` ends, where they were last seen, all that are open: nobody saw their end.
    - `list` is sorted by start; `project` None means all.
    """

    async def open(self, interval: Interval) -> None: ...

    async def touch(self, ids: Sequence[str], now: int) -> None: ...

    async def close(self, interval: str, now: int) -> None: ...

    async def close_lost(self) -> None: ...

    async def list(self, project: ProjectName | None = None) -> Sequence[Interval]: ...


class MemoryUseStore(Protocol):
    """Keeps how much memory replicas really took.

    - `record` keeps the largest figure of each combination; `find` returns it, or None.
    """

    async def record(
        self, model: ModelName, quantisation: str, slots: int, context: int, memory: int
    ) -> None: ...

    async def find(
        self, model: ModelName, quantisation: str, slots: int, context: int
    ) -> int | None: ...


class WeightsSource(Protocol):
    """Where weights come from.

    - `state` is quick, and says nothing that is not so now; of an unknown model it says that it
      failed, and why.
    - `ensure` returns when they are here; asked for the same ones at once, it fetches them once.
      It raises `CupolaError` with a reason if they will not come; `state` then says the same.
    """

    def state(self, model: ModelName, quantisation: str | None) -> WeightsState: ...

    async def ensure(self, model: ModelName, quantisation: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What can be known of a cohort's replicas before there is one."""

    profile: Profile
    slots: int
    """Generations that each runs at once."""
    size: int
    """Bytes of the weights' file; 0: there is none."""
    cache: int
    """Bytes of keys and values of all slots."""
    smaller: tuple[tuple[str, int], ...] = ()
    """Other quantisations of the model, and the bytes of their files."""


@dataclass(frozen=True, slots=True)
class Order:
    """One replica, to be made."""

    id: ReplicaId
    name: str
    """Of its log: endpoint, deployment, and the instance's number."""
    cohort: Cohort
    weights: Path | None
    """None: an upstream has none."""
    cores: int | None = None
    """Threads of the engine; None: what suits the model."""


class EngineFactory(Protocol):
    """Makes replicas; the one place that knows engines by name implements it.

    - Both read the model's file and so may take a while: call them in a thread.
    - They raise `CupolaError` for a file that cannot be served.
    """

    def survey(self, cohort: Cohort, weights: Path | None) -> Survey: ...

    def make(self, order: Order) -> Replica: ...


class Compute(EngineFactory, Protocol):
    """Where replicas run, this machine for one.

    - `read_machine` is quick, and true now.
    - `find_process` is the id of a replica's process, None while it has none.
    - `measure` is the memory that a replica holds now, None if that cannot be told.
    """

    def read_machine(self) -> Machine: ...

    def find_process(self, replica: Replica) -> int | None: ...

    def measure(self, replica: Replica) -> int | None: ...
