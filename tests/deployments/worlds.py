"""A fleet over fakes, and what tests tell it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cupola.deployments.changes import make_endpoint
from cupola.deployments.fit import Machine
from cupola.deployments.fleet import Fleet, FleetPorts
from cupola.deployments.memory import (
    MemoryEndpoints,
    MemoryInstanceTypes,
    MemoryIntervals,
    MemoryMemoryUse,
)
from cupola.deployments.model import (
    Deployment,
    DeploymentState,
    DeploymentStatus,
    Endpoint,
    EndpointKind,
    InstanceType,
    Scale,
    Spec,
    WeightsReady,
    WeightsState,
)
from cupola.deployments.pool import DeploymentPool
from cupola.deployments.ports import Order, Survey
from cupola.deployments.situation import Cohort, Pace
from cupola.engines.echo import EchoReplica
from cupola.engines.port import Replica
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.clock import Clock
from cupola.kit.errors import Unavailable
from tests.patience import until

HERE = WeightsReady(Path("/weights.gguf"), "Q8_0")
GIB = 1024**3
PILOT = EndpointName("pilot")
MODEL = ModelName("Cupola-Pilot")
QUICK = Pace(failures=3, ready_within=5.0, drain=2.0, idle=0.5)


@dataclass
class Troubled(EchoReplica):
    """Counts its starts; fails the first few of them."""

    starts: int = 0
    failing: int = 0
    may_start: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        self.starts += 1
        await self.may_start.wait()
        if self.starts <= self.failing:
            raise Unavailable("The engine ended with exit code 1.", private="/a/path")
        await super().start()


@dataclass
class EchoCompute:
    """A `Compute` that makes echoes; `failing` says how often those of a spec fail first."""

    free: int = 100 * GIB
    failing: Mapping[Spec, int] = field(default_factory=dict)
    made: list[tuple[Order, Troubled]] = field(default_factory=list)
    held: bool = False
    """Whether new ones wait before they start."""

    def survey(self, cohort: Cohort, weights: Path | None) -> Survey:
        length = cohort.spec.context_length or 4096
        return Survey(EchoReplica(length).profile, cohort.spec.slots or 4, size=GIB, cache=0)

    def make(self, order: Order) -> Replica:
        length = order.cohort.spec.context_length or 4096
        replica = Troubled(length, failing=self.failing.get(order.cohort.spec, 0))
        if not self.held:
            replica.may_start.set()
        self.made.append((order, replica))
        return replica

    def read_machine(self) -> Machine:
        return Machine(100 * GIB, self.free, 8)

    def find_process(self, replica: Replica) -> int | None:
        return None

    def measure(self, replica: Replica) -> int | None:
        return 2 * GIB

    def running(self) -> list[Troubled]:
        return [replica for _, replica in self.made if replica.state == "ready"]


@dataclass
class ToldWeights:
    """A `WeightsSource` that says what it was told; nothing is ever fetched."""

    told: dict[ModelName, WeightsState] = field(default_factory=dict)
    asked: list[ModelName] = field(default_factory=list)

    def state(self, model: ModelName, quantisation: str | None) -> WeightsState:
        return self.told.get(model, HERE)

    async def ensure(self, model: ModelName, quantisation: str | None) -> None:
        self.asked.append(model)
        if model not in self.told:
            return
        raise Unavailable("The hub says no. Ask it nicely.")


@dataclass
class Town:
    """A fleet and all that it stands on."""

    clock: Clock
    store: MemoryEndpoints = field(default_factory=MemoryEndpoints)
    types: MemoryInstanceTypes = field(
        default_factory=lambda: MemoryInstanceTypes(InstanceType("small", 2, 8 * GIB))
    )
    intervals: MemoryIntervals = field(default_factory=MemoryIntervals)
    memory_use: MemoryMemoryUse = field(default_factory=MemoryMemoryUse)
    weights: ToldWeights = field(default_factory=ToldWeights)
    compute: EchoCompute = field(default_factory=EchoCompute)
    expired: list[EndpointName] = field(default_factory=list)
    changes: int = 0
    database_away: bool = False

    @asynccontextmanager
    async def running(self, pace: Pace = QUICK) -> AsyncIterator[Fleet]:
        fleet = Fleet(self._ports(), pace)
        await fleet.prepare()
        await fleet.start()
        try:
            yield fleet
        finally:
            await fleet.stop()

    async def put(self, fleet: Fleet, endpoint: Endpoint) -> None:
        """Store it as a change, and tell the fleet."""
        known = await self.store.find(endpoint.name)
        if known is None:
            await self.store.add(endpoint)
        else:
            await self.store.save(replace(endpoint, version=known.version + 1))
        fleet.wake()

    async def change_spec(self, fleet: Fleet, spec: Spec) -> None:
        endpoint = await self.get()
        [old] = endpoint.deployments
        new = replace(old, spec=spec, revision=old.revision + 1)
        await self.put(fleet, replace(endpoint, deployments=(new,)))

    async def get(self, name: EndpointName = PILOT) -> Endpoint:
        found = await self.store.find(name)
        assert found is not None
        return found

    def _ports(self) -> FleetPorts:
        return FleetPorts(
            read_wanted=self._read,
            endpoints=self.store,
            instance_types=self.types,
            intervals=self.intervals,
            memory_use=self.memory_use,
            weights=self.weights,
            compute=self.compute,
            clock=self.clock,
            expire=self._expire,
            go_back=self.store.save,
            on_change=self._count_change,
        )

    async def _read(self) -> Sequence[Endpoint]:
        if self.database_away:
            raise OSError("The database is away.")
        return await self.store.list()

    async def _expire(self, endpoint: Endpoint) -> None:
        self.expired.append(endpoint.name)
        await self.store.delete(endpoint.name)

    def _count_change(self) -> None:
        self.changes += 1


def serverless(floor: int = 1, ceiling: int = 1, spec: Spec | None = None) -> Endpoint:
    endpoint = make_endpoint(PILOT, EndpointKind.SERVERLESS, MODEL, 1000)
    return replace(
        endpoint,
        deployments=(
            Deployment(
                DeploymentName(PILOT), spec or Spec(MODEL), Scale(floor, ceiling), created=1000
            ),
        ),
    )


def managed(instances: int = 1, spec: Spec | None = None) -> Endpoint:
    scale = Scale(instances, instances, "small")
    deployment = Deployment(DeploymentName("blue"), spec or Spec(MODEL), scale, created=1000)
    return replace(
        serverless(),
        kind=EndpointKind.MANAGED,
        deployments=(deployment,),
        traffic={deployment.name: 100},
    )


def pool_of(fleet: Fleet, endpoint: Endpoint) -> DeploymentPool:
    return fleet.pool(endpoint.name, endpoint.deployments[0].name)


def status_of(fleet: Fleet) -> DeploymentStatus:
    [status] = fleet.describe(PILOT)
    return status


async def until_state(fleet: Fleet, state: DeploymentState) -> None:
    await until(lambda: bool(fleet.describe(PILOT)) and status_of(fleet).state is state)
