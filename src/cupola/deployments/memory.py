"""What deployments keep, for as long as the object lives: the fakes that ship."""

from collections.abc import Sequence
from dataclasses import replace

from cupola.deployments.model import Endpoint, InstanceType, Interval
from cupola.ids import EndpointName, ModelName, ProjectName
from cupola.kit.errors import Conflict, Stale


class MemoryEndpoints:
    """An `EndpointStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointName, Endpoint] = {}

    async def add(self, endpoint: Endpoint) -> None:
        if endpoint.name in self._endpoints:
            raise Conflict(f"There is an endpoint {endpoint.name!r} already.")
        self._endpoints[endpoint.name] = endpoint

    async def save(self, endpoint: Endpoint) -> None:
        known = self._endpoints.get(endpoint.name)
        if known is None or known.version != endpoint.version - 1:
            raise Stale(f"The endpoint {endpoint.name!r} was changed meanwhile. Read it again.")
        self._endpoints[endpoint.name] = endpoint

    async def delete(self, name: EndpointName) -> bool:
        return self._endpoints.pop(name, None) is not None

    async def find(self, name: EndpointName) -> Endpoint | None:
        return self._endpoints.get(name)

    async def list(
        self, *, project: ProjectName | None = None, after: str = "", limit: int | None = None
    ) -> Sequence[Endpoint]:
        found = [
            self._endpoints[name]
            for name in sorted(self._endpoints)
            if name > after and project in (None, self._endpoints[name].project)
        ]
        return found[:limit]


class MemoryInstanceTypes:
    """An `InstanceTypeStore` without a database."""

    def __init__(self, *types: InstanceType) -> None:
        self._types = {each.name: each for each in types}

    async def put(self, instance_type: InstanceType) -> None:
        self._types[instance_type.name] = instance_type

    async def delete(self, name: str) -> bool:
        return self._types.pop(name, None) is not None

    async def find(self, name: str) -> InstanceType | None:
        return self._types.get(name)

    async def list(self) -> Sequence[InstanceType]:
        return [self._types[name] for name in sorted(self._types)]


class MemoryIntervals:
    """An `IntervalStore` without a database."""

    def __init__(self) -> None:
        self._intervals: dict[str, Interval] = {}

    async def open(self, interval: Interval) -> None:
        self._intervals[interval.id] = interval

    async def touch(self, ids: Sequence[str], now: int) -> None:
        for each in self._find_open(ids):
            self._intervals[each.id] = replace(each, seen=now)

    async def close(self, interval: str, now: int) -> None:
        for each in self._find_open([interval]):
            self._intervals[each.id] = replace(each, seen=now, ended=now)

    async def close_lost(self) -> None:
        for each in self._find_open(list(self._intervals)):
            self._intervals[each.id] = replace(each, ended=each.seen)

    async def list(self, project: ProjectName | None = None) -> Sequence[Interval]:
        found = [each for each in self._intervals.values() if project in (None, each.project)]
        return sorted(found, key=lambda each: (each.started, each.id))

    def _find_open(self, ids: Sequence[str]) -> Sequence[Interval]:
        found = [self._intervals[each] for each in ids if each in self._intervals]
        return [each for each in found if each.ended is None]


class MemoryMemoryUse:
    """A `MemoryUseStore` without a database."""

    def __init__(self) -> None:
        self._most: dict[tuple[ModelName, str, int, int], int] = {}

    async def record(
        self, model: ModelName, quantisation: str, slots: int, context: int, memory: int
    ) -> None:
        key = (model, quantisation, slots, context)
        self._most[key] = max(memory, self._most.get(key, 0))

    async def find(
        self, model: ModelName, quantisation: str, slots: int, context: int
    ) -> int | None:
        return self._most.get((model, quantisation, slots, context))
