"""What deployments need from outside: places that keep what is wanted and what ran."""

from collections.abc import Sequence
from typing import Protocol

from cupola.deployments.model import DeploymentStatus, Endpoint, InstanceType, Interval
from cupola.ids import EndpointName, ModelName, ProjectName


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
