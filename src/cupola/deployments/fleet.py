"""The fleet: makes what runs agree with what is wanted.

One task owns every decision. It is woken by a change of what is wanted, by replicas, by requests
that wait for one, and once a second; then it observes, plans (`plan`, pure) and acts. What takes
long (files to look into, weights to fetch, engines to start) is done by tasks of its own, which
wake it when they are done.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never

from cupola.deployments.fit import Machine
from cupola.deployments.ledger import Known, Ledger
from cupola.deployments.loop import Keeper, Surroundings
from cupola.deployments.model import (
    Address,
    DeploymentState,
    DeploymentStatus,
    Endpoint,
    InstanceStatus,
    InstanceType,
)
from cupola.deployments.plan import Plan, make_plan
from cupola.deployments.pool import DeploymentPool
from cupola.deployments.ports import (
    Compute,
    EndpointStore,
    InstanceTypeStore,
    IntervalStore,
    MemoryUseStore,
    Order,
    WeightsSource,
)
from cupola.deployments.rollout import apply_ruling
from cupola.deployments.scaling import Trend, advance
from cupola.deployments.situation import (
    Cohort,
    Drain,
    Ensure,
    Line,
    Pace,
    Phase,
    Placed,
    Return,
    Ruling,
    Settle,
    Situation,
    Start,
    Stop,
    place,
)
from cupola.deployments.supplies import Supplies
from cupola.engines.port import Profile
from cupola.ids import DeploymentName, EndpointName, ReplicaId, new_id
from cupola.kit.clock import Clock
from cupola.kit.errors import Stale
from cupola.kit.tasks import cancel, supervise

_TICK: Final = 1.0
_REREAD: Final = 30.0
"""Seconds after which what is wanted is read again unasked: another process may have changed it."""
_TOUCH: Final = 5.0
"""Seconds between notes that instances still run: the most that a kill -9 takes off a bill."""
_WARNINGS: Final = ((3600, "an hour"), (24 * 3600, "a day"))
"""Seconds before an endpoint on the shared quota is deleted, and how to say it."""
_TRIES: Final = 5
"""To store a ruling, against others who change the endpoint at the same time."""

_SHARE: Final = 4
"""So many times as long as a step took, at least, is nothing planned: requests go first. With a
thousand endpoints a step takes some 40 ms."""
_LONGEST_REST: Final = 0.25
"""Seconds: a step may have waited for a slow database, and somebody may wait to be woken."""
_CALM: Final = (DeploymentState.READY, DeploymentState.SCALED_TO_ZERO)
"""Where all are so and no replica changes, time alone changes nothing: there is nothing to plan."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FleetPorts:
    """What the fleet is built over."""

    read_wanted: Callable[[], Awaitable[Sequence[Endpoint]]]
    """All endpoints, those included that a file defines."""
    endpoints: EndpointStore
    instance_types: InstanceTypeStore
    intervals: IntervalStore
    memory_use: MemoryUseStore
    weights: WeightsSource
    compute: Compute
    clock: Clock
    expire: Callable[[Endpoint], Awaitable[None]]
    """Deletes an endpoint whose time on the shared quota is over, and says so in the audit log."""
    go_back: Callable[[Endpoint], Awaitable[None]]
    """Saves an endpoint of which a deployment returns to its stable spec, and says so in the audit
    log; raises `Stale` as `endpoints.save`."""
    on_change: Callable[[], None] = lambda: None
    """Endpoints have changed, or the profile of a deployment: the gateway must know."""


@dataclass
class _Wanted:
    """What was read last."""

    endpoints: Sequence[Endpoint] = ()
    placed: Sequence[Placed] = ()
    by_endpoint: Mapping[EndpointName, Sequence[Placed]] = field(default_factory=dict)
    types: Mapping[str, InstanceType] = field(default_factory=dict)
    cohorts: frozenset[Cohort] = frozenset()
    shared: Mapping[Cohort, Sequence[DeploymentPool]] = field(default_factory=dict)
    """Whose replicas the load decides on, and where requests wait for them."""
    unproven: frozenset[Cohort] = frozenset()
    lines: Mapping[Cohort, Line] = field(default_factory=dict)
    stale: bool = True
    read: float = 0.0


class Fleet:
    """Owns the replicas of this process."""

    def __init__(self, ports: FleetPorts, pace: Pace | None = None) -> None:
        self._ports = ports
        self._pace = pace or Pace()
        self._wanted = _Wanted()
        self._keepers: dict[ReplicaId, Keeper] = {}
        self._pools: dict[Address, DeploymentPool] = {}
        self._trends: dict[Cohort, Trend] = {}
        self._warned: dict[EndpointName, int] = {}
        self._served: dict[Address, Profile | None] = {}
        self._changed = False
        self._blind = False
        self._calm = False
        self._demand: Mapping[Cohort, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._event = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._supplies = Supplies(
            ports.weights, ports.compute, ports.memory_use, ports.clock, self._event.set
        )
        self._ledger = Ledger(
            ports.intervals, ports.memory_use, ports.compute, ports.clock, self._look_up
        )
        self._around = Surroundings(
            ports.compute.make, self._ledger.running, self._on_event, ports.clock
        )

    async def prepare(self) -> None:
        """Read what is wanted and look into the files that are here, so that whoever asks first
        finds profiles; nothing is started."""
        await self._ledger.begin()
        await self._read_wanted()
        self._supplies.watch(self._wanted.cohorts, ())
        await self._supplies.settle()
        plan = make_plan(self._observe(self._ports.clock.monotonic()))
        self._tell(plan)
        self._take_in(plan)

    async def start(self) -> None:
        """Begin to act; returns before anything is ready."""
        self._event.set()
        self._loop = supervise(self._run(), name="fleet")

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """As they were read last."""
        return self._wanted.endpoints

    async def stop(self) -> None:
        """End all replicas, at the same time."""
        if self._loop is not None:
            await cancel(self._loop)
            self._loop = None
        await self._supplies.stop()
        for task in list(self._tasks):
            await cancel(task)
        await asyncio.gather(*[keeper.stop() for keeper in self._keepers.values()])
        self._keepers.clear()
        for pool in self._pools.values():
            pool.fill((), (), 0, pool.profile)
            if pool.status is not None:
                pool.status = replace(
                    pool.status, state=DeploymentState.STOPPED, ready=0,
                    reason="Cupola is stopping: start it again.",
                )  # fmt: skip

    def read_machine(self) -> Machine:
        """What there is to run replicas on, now."""
        return self._ports.compute.read_machine()

    def wake(self) -> None:
        """What is wanted may have changed: read it now."""
        self._wanted.stale = True
        self._event.set()

    def pool(self, endpoint: EndpointName, deployment: DeploymentName) -> DeploymentPool:
        """The same object each time, for as long as the deployment is there."""
        return self._pool(Address(endpoint, deployment))

    def list_pools(self) -> Sequence[tuple[Address, DeploymentPool]]:
        """What stands behind every deployment, for whoever measures."""
        return [(each.address, self._pool(each.address)) for each in self._wanted.placed]

    def describe(self, endpoint: EndpointName) -> Sequence[DeploymentStatus]:
        """What is, deployment by deployment, those included that are gone and still end; none of
        an endpoint that the fleet does not know."""
        found = []
        for placed in self._wanted.by_endpoint.get(endpoint, ()):
            status = self._pool(placed.address).status
            if status is not None:
                instances = [self._describe_instance(each) for each in self._keepers_of(placed)]
                found.append(replace(status, instances=tuple(instances)))
        return [*found, *self._describe_ending(endpoint)]

    def list_logs(
        self, endpoint: EndpointName, deployment: DeploymentName | None = None
    ) -> Sequence[str]:
        """Names of the engines' logs, without folder and ending, of replicas that run."""
        placed = self._wanted.by_endpoint.get(endpoint, ())
        chosen = [each for each in placed if deployment in (None, each.address.deployment)]
        return sorted({k.order.name for each in chosen for k in self._keepers_of(each)})

    # -- the loop

    async def _run(self) -> None:
        touched = self._ports.clock.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._event.wait()
            began = self._ports.clock.monotonic()
            self._calm &= not self._event.is_set()
            self._event.clear()
            try:
                await self._step()
                if (now := self._ports.clock.monotonic()) - touched >= _TOUCH:
                    touched = now
                    await self._ledger.touch()
                    await self._ledger.record_memory(self._keepers.values())
            except Exception:  # noqa: BLE001  (what runs goes on running; the next tick tries again)
                _log.exception("The fleet could not do what is wanted; it tries again.")
                self._calm = False
            took = self._ports.clock.monotonic() - began
            await asyncio.sleep(min(_LONGEST_REST, _SHARE * took))

    async def _step(self) -> None:
        now = self._ports.clock.monotonic()
        if self._wanted.stale or now - self._wanted.read >= _REREAD:
            await self._try_to_read()
        running = {keeper.cohort for keeper in self._keepers.values()}
        self._calm &= not self._supplies.watch(self._wanted.cohorts, running)
        self._follow_load(now)
        if not self._calm:
            await self._carry_out(make_plan(self._observe(now)))
        await self._expire()

    async def _carry_out(self, plan: Plan) -> None:
        for action in plan.actions:
            if not isinstance(action, Settle | Return):
                self._act(action)
        self._take_in(plan)
        for action in plan.actions:
            if isinstance(action, Settle | Return):
                await self._store(action)
        self._tell(plan)  # not before it is stored: who reads both must not find them apart
        self._calm = not plan.actions and all(each.is_ready for each in self._keepers.values())
        self._calm &= all(
            each.state in _CALM and each.ready >= each.wanted for each in plan.statuses.values()
        )

    def _take_in(self, plan: Plan) -> None:
        self._wanted.lines = plan.lines
        self._fill_pools()

    def _tell(self, plan: Plan) -> None:
        for address, status in plan.statuses.items():
            self._pool(address).status = self._add_warning(address, status)

    async def _try_to_read(self) -> None:
        """Without the database, what was wanted last is wanted still."""
        try:
            await self._read_wanted()
        except Exception as error:  # noqa: BLE001  (whatever the database's driver raises)
            self._wanted.stale = True
            if not self._blind:
                _log.error("What is wanted cannot be read; what was known last holds. %s", error)
            self._blind = True
        else:
            self._blind = False

    async def _read_wanted(self) -> None:
        self._wanted.stale = False
        endpoints = await self._ports.read_wanted()
        types = await self._ports.instance_types.list()
        self._wanted.types = {each.name: each for each in types}
        self._changed |= endpoints != self._wanted.endpoints
        self._calm &= not self._changed
        self._wanted.endpoints = endpoints
        self._wanted.placed = place(endpoints, self._wanted.placed)
        self._wanted.by_endpoint = _group(self._wanted.placed)
        self._wanted.read = self._ports.clock.monotonic()
        there = {each.address for each in self._wanted.placed}
        for gone in [address for address in self._pools if address not in there]:
            del self._pools[gone]
        self._sort_cohorts()

    def _sort_cohorts(self) -> None:
        """What each second needs, once for every change."""
        shared: dict[Cohort, list[DeploymentPool]] = {}
        cohorts: set[Cohort] = set()
        for placed in self._wanted.placed:
            for cohort in {placed.cohort, placed.stable_cohort or placed.cohort}:
                cohorts.add(cohort)
                if cohort.owner is None:
                    shared.setdefault(cohort, []).append(self._pool(placed.address))
        unproven = {each.cohort for each in self._wanted.placed if not each.is_proven}
        self._wanted.cohorts, self._wanted.shared = frozenset(cohorts), shared
        self._wanted.unproven = frozenset(unproven)

    def _observe(self, now: float) -> Situation:
        return Situation(
            placed=self._wanted.placed,
            replicas=[keeper.observe() for keeper in self._keepers.values()],
            supplies=self._supplies.tell(),
            machine=self._ports.compute.read_machine(),
            types=self._wanted.types,
            now=now,
            demand=self._demand,
            pace=self._pace,
        )

    def _act(self, action: Start | Drain | Stop | Ensure) -> None:
        """Begin it, at once and without waiting: the next observation must see that it is done."""
        match action:
            case Start(cohort=cohort):
                self._start(cohort)
            case Drain(replica=name):
                self._keepers[name].drain()
            case Stop(replica=name):
                keeper = self._keepers[name]
                keeper.phase = Phase.STOPPING
                self._spawn(self._end(keeper), f"stop {keeper.order.name}")
            case Ensure(cohort=cohort):
                self._supplies.fetch(cohort)
            case _:
                assert_never(action)

    def _start(self, cohort: Cohort) -> None:
        kind = self._wanted.types.get(cohort.instance_type or "")
        order = Order(
            id=ReplicaId(new_id("rep")),
            name=self._name(cohort),
            cohort=cohort,
            weights=self._supplies.find_path(cohort),
            cores=kind.cores if kind else None,
        )
        keeper = Keeper(order, self._around)
        self._keepers[keeper.id] = keeper
        keeper.start()

    def _name(self, cohort: Cohort) -> str:
        """Endpoint, deployment and the first number that is free, so that logs do not multiply."""
        address = cohort.owner or min(
            (each.address for each in self._wanted.placed
             if cohort in (each.cohort, each.stable_cohort)),
            key=str,
        )  # fmt: skip
        taken = {keeper.order.name for keeper in self._keepers.values()}
        names = (f"{address.endpoint}-{address.deployment}-{n}" for n in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    async def _end(self, keeper: Keeper) -> None:
        await keeper.stop()
        self._keepers.pop(keeper.id, None)
        self._event.set()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = supervise(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_event(self) -> None:
        for pool in self._pools.values():
            pool.notify()
        self._event.set()

    def _look_up(self, cohort: Cohort) -> Known:
        owners = [each for each in self._wanted.placed if each.address == cohort.owner]
        return Known(
            placed=owners[0] if owners else None,
            instance_type=self._wanted.types.get(cohort.instance_type or ""),
            survey=self._supplies.find_survey(cohort),
            quantisation=self._supplies.find_quantisation(cohort),
        )

    # -- load

    def _follow_load(self, now: float) -> None:
        """Shared cohorts grow and shrink with what is asked of them."""
        loads = {
            cohort: sum(pool.waiting for pool in pools)
            for cohort, pools in self._wanted.shared.items()
        }
        for keeper in self._keepers.values():
            if keeper.cohort in loads:
                loads[keeper.cohort] += keeper.busy
        self._trends = {
            cohort: advance(
                self._trends.get(cohort, Trend()), load, self._count_slots(cohort), now,
                self._pace.idle, least=1 if cohort in self._wanted.unproven else 0,
            )
            for cohort, load in loads.items()
        }  # fmt: skip
        demand = {cohort: trend.wanted for cohort, trend in self._trends.items()}
        self._calm &= demand == self._demand
        self._demand = demand

    def _count_slots(self, cohort: Cohort) -> int:
        survey = self._supplies.find_survey(cohort)
        return survey.slots if survey else 1

    # -- what others see

    def _pool(self, address: Address) -> DeploymentPool:
        if address not in self._pools:
            self._pools[address] = DeploymentPool(self._event.set)
        return self._pools[address]

    def _fill_pools(self) -> None:
        by_cohort: dict[Cohort, list[Keeper]] = {}
        for keeper in self._keepers.values():
            if keeper.phase not in (Phase.DRAINING, Phase.STOPPING):
                by_cohort.setdefault(keeper.cohort, []).append(keeper)
        for line in self._wanted.lines.values():
            profile = self._supplies.find_profile(line.cohort)
            for placed in line.members:
                cohorts = line.find_earlier(placed)
                earlier = [keeper for each in cohorts for keeper in by_cohort.get(each, ())]
                before = self._supplies.find_profile(cohorts[0]) if cohorts else None
                self._pool(placed.address).fill(
                    by_cohort.get(line.cohort, ()), earlier, line.wanted, profile, before
                )
        served = {each.address: self._pool(each.address).profile for each in self._wanted.placed}
        if self._changed or served != self._served:
            self._changed, self._served = False, served
            self._ports.on_change()

    def _describe_ending(self, endpoint: EndpointName) -> list[DeploymentStatus]:
        there = {each.address for each in self._wanted.placed}
        ending: dict[Address, list[InstanceStatus]] = {}
        for keeper in self._keepers.values():
            owner = keeper.cohort.owner
            if owner is not None and owner.endpoint == endpoint and owner not in there:
                ending.setdefault(owner, []).append(self._describe_instance(keeper))
        return [
            DeploymentStatus(
                deployment=address.deployment,
                state=DeploymentState.STOPPING,
                reason="It is deleted; what is under way in it may end first. Wait.",
                progress=None,
                ready=0,
                wanted=0,
                revision=0,
                instances=tuple(instances),
            )
            for address, instances in ending.items()
        ]

    def _describe_instance(self, keeper: Keeper) -> InstanceStatus:
        compute, running = self._ports.compute, keeper.replica
        return InstanceStatus(
            id=keeper.id,
            state=keeper.state,
            reason=keeper.detail,
            pid=compute.find_process(running) if running is not None else None,
            memory=compute.measure(running) if running is not None else None,
            started=keeper.started,
        )

    def _keepers_of(self, placed: Placed) -> list[Keeper]:
        line = self._wanted.lines.get(placed.cohort)
        cohorts = {placed.cohort, *(line.find_earlier(placed) if line else ())}
        owner = placed.cohort.owner
        return [
            each
            for each in self._keepers.values()
            if each.cohort in cohorts or (owner is not None and each.cohort.owner == owner)
        ]

    # -- what is stored

    async def _store(self, ruling: Ruling) -> None:
        """Save it on the endpoint as it is by now, unless somebody wants another spec by now."""
        for _ in range(_TRIES):
            endpoint = await self._ports.endpoints.find(ruling.address.endpoint)
            changed = _rule(endpoint, ruling) if endpoint else None
            if changed is None:
                break
            try:
                if isinstance(ruling, Return):
                    await self._ports.go_back(changed)
                    _log.warning("%s: %s", ruling.address, ruling.outcome)
                else:
                    await self._ports.endpoints.save(changed)
            except Stale:
                continue
            break
        self.wake()

    # -- the shared quota

    async def _expire(self) -> None:
        now = self._ports.clock.now()
        for endpoint in self._wanted.endpoints:
            if endpoint.expires is None:
                continue
            if endpoint.expires <= now:
                await self._ports.expire(endpoint)
                self.wake()
            elif (left := _find_warning(endpoint, now)) != self._warned.get(endpoint.name):
                self._warned[endpoint.name] = left
                self._event.set()
                if left:
                    _log.warning("%s: %s", endpoint.name, _warn(left))

    def _add_warning(self, address: Address, status: DeploymentStatus) -> DeploymentStatus:
        left = self._warned.get(address.endpoint)
        if not left:
            return status
        return replace(status, reason=f"{status.reason} {_warn(left)}".strip())


def _find_warning(endpoint: Endpoint, now: float) -> int:
    """Which warning is due: the seconds it is named by; 0: none yet."""
    left = (endpoint.expires or 0) - now
    return next((seconds for seconds, _ in _WARNINGS if left <= seconds), 0)


def _warn(seconds: int) -> str:
    return (
        f"It runs on the shared quota and is deleted in less than {dict(_WARNINGS)[seconds]}: "
        "deploy it anew on quota of its own to keep it."
    )


def _rule(endpoint: Endpoint, ruling: Ruling) -> Endpoint | None:
    """The endpoint with the ruling; None: its deployment is not what was ruled on any more."""
    for placed in place([endpoint]):
        if placed.address == ruling.address and placed.deployment.spec == ruling.spec:
            ruled = apply_ruling(placed, ruling).deployment
            others = [each for each in endpoint.deployments if each.name != ruled.name]
            deployments = tuple(sorted([*others, ruled], key=lambda each: each.name))
            return replace(endpoint, deployments=deployments, version=endpoint.version + 1)
    return None


def _group(placed: Sequence[Placed]) -> Mapping[EndpointName, Sequence[Placed]]:
    """Lists of a thousand endpoints ask of each."""
    found: dict[EndpointName, list[Placed]] = {}
    for each in placed:
        found.setdefault(each.address.endpoint, []).append(each)
    return found
