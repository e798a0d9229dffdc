"""What a plan is made from: what is wanted, what runs, what there is; and what a plan consists of.

Replicas that may stand in for one another are a *cohort*: of one managed deployment, or of all
serverless deployments with the same spec, which share theirs. A cohort that deployments want is a
*line*, which says how many replicas it shall have, and which earlier cohorts answer until it has.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias, assert_never

from cupola.deployments.fit import Machine, Need, explain_small_instance, explain_small_machine
from cupola.deployments.model import (
    Address,
    Deployment,
    Endpoint,
    EndpointKind,
    InstanceType,
    Spec,
    WeightsAbsent,
    WeightsDownloading,
    WeightsFailed,
    WeightsReady,
    WeightsState,
)
from cupola.ids import ProjectName, ReplicaId


@dataclass(frozen=True)
class Cohort:
    """Replicas that are all alike.

    It is what everything is looked up by, thousands of times in each plan of a large platform, so
    its hash is reckoned once.
    """

    spec: Spec
    owner: Address | None = None
    """None: shared by all serverless deployments with this spec."""
    instance_type: str | None = None
    upstream: bool = False
    """Somebody else's: there are no weights, and it takes no memory."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.spec, self.owner, self.instance_type, self.upstream))


class Phase(StrEnum):
    """Where a replica is in its life; the table is in `deployments.model`."""

    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing_off"
    DRAINING = "draining"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Observed:
    """A replica as it is now."""

    id: ReplicaId
    cohort: Cohort
    phase: Phase
    began: float
    """When it was made, in seconds of the monotonic clock."""
    since: float
    """When its phase began."""
    busy: int = 0
    failures: int = 0
    """In a row."""
    ended: str = ""
    """How its last run ended, in words for callers."""

    @property
    def is_alive(self) -> bool:
        """Whether it is there to answer, now or soon."""
        return self.phase in (Phase.STARTING, Phase.READY, Phase.BACKING_OFF)

    @property
    def is_ready(self) -> bool:
        return self.phase is Phase.READY


@dataclass(frozen=True, slots=True)
class Supply:
    """What a cohort's replicas would be made of."""

    weights: WeightsState
    need: Need | None = None
    """None: the file has not been looked into yet."""
    fault: str = ""
    """Why the file cannot be served; empty: it can."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take, and how often they may fail."""

    failures: int = 3
    """Of a new replica, after which a roll-out is given up."""
    ready_within: float = 600.0
    """Seconds for a new replica; beyond, a roll-out is given up."""
    drain: float = 60.0
    """Seconds for what is under way in a replica that is no longer wanted."""
    idle: float = 300.0
    """Seconds after which a serverless replica that was not needed is stopped."""


@dataclass(frozen=True)
class Placed:
    """A deployment with what its endpoint says of it; what follows from that is worked out once."""

    address: Address
    kind: EndpointKind
    project: ProjectName
    deployment: Deployment

    @cached_property
    def cohort(self) -> Cohort:
        """What shall answer for it."""
        return self._cohort_of(self.deployment.spec)

    @cached_property
    def stable_cohort(self) -> Cohort | None:
        """What answers until then; None: it is not being rolled out from anything."""
        stable = self.deployment.stable
        if stable is None or stable == self.deployment.spec:
            return None
        return self._cohort_of(stable)

    @cached_property
    def is_proven(self) -> bool:
        return self.deployment.stable == self.deployment.spec

    def _cohort_of(self, spec: Spec) -> Cohort:
        match self.kind:
            case EndpointKind.SERVERLESS:
                return Cohort(spec)
            case EndpointKind.MANAGED:
                return Cohort(spec, self.address, self.deployment.scale.instance_type)
            case EndpointKind.UPSTREAM:
                return Cohort(spec, self.address, upstream=True)
            case kind:
                assert_never(kind)


@dataclass(frozen=True, slots=True)
class Line:
    """A cohort that deployments want."""

    cohort: Cohort
    members: tuple[Placed, ...]
    wanted: int
    """Replicas, once nothing is under way any more."""
    earlier: tuple[Cohort, ...] = ()
    """What answers until then, most trusted first."""

    def find_earlier(self, member: Placed) -> tuple[Cohort, ...]:
        """What answers for this member until then: shared cohorts only for those they were."""
        if self.cohort.owner is not None:
            return self.earlier
        return tuple(each for each in self.earlier if each == member.stable_cohort)


@dataclass(frozen=True)
class Situation:
    """Everything that a plan depends on."""

    placed: Sequence[Placed]
    replicas: Sequence[Observed]
    supplies: Mapping[Cohort, Supply]
    machine: Machine
    types: Mapping[str, InstanceType]
    now: float
    """Seconds of the monotonic clock."""
    demand: Mapping[Cohort, int] = field(default_factory=dict)
    """Replicas that a shared cohort's load wants."""
    pace: Pace = Pace()

    @cached_property
    def by_cohort(self) -> Mapping[Cohort, Sequence[Observed]]:
        found: dict[Cohort, list[Observed]] = {}
        for each in self.replicas:
            found.setdefault(each.cohort, []).append(each)
        return found

    def of(self, cohort: Cohort) -> Sequence[Observed]:
        return self.by_cohort.get(cohort, ())

    def alive(self, cohort: Cohort) -> Sequence[Observed]:
        return [each for each in self.of(cohort) if each.is_alive]

    def count_ready(self, cohort: Cohort) -> int:
        return self._ready[cohort]

    @cached_property
    def _ready(self) -> Counter[Cohort]:
        return Counter(each.cohort for each in self.replicas if each.is_ready)

    def find_need(self, cohort: Cohort) -> Need | None:
        """None: not known yet."""
        if cohort.upstream:
            return Need()
        supply = self.supplies.get(cohort)
        return supply.need if supply else None

    def find_fault(self, cohort: Cohort) -> str:
        """Why no replica of the cohort can be started, ever; empty: one can, or nobody knows."""
        if cohort.upstream:
            return ""
        supply = self.supplies.get(cohort)
        if supply and isinstance(supply.weights, WeightsFailed):
            return supply.weights.reason
        if supply and supply.fault:
            return supply.fault
        if supply and supply.need and supply.need.total > self.machine.total:
            return explain_small_machine(supply.need, self.machine.total)
        if cohort.instance_type is None:
            return ""
        kind = self.types.get(cohort.instance_type)
        if kind is None:
            names = ", ".join(sorted(self.types)) or "none"
            return (
                f"There is no instance type {cohort.instance_type!r} any more: choose another "
                f"one. There are: {names}."
            )
        need = supply.need if supply else None
        return explain_small_instance(need, kind.name, kind.memory) or "" if need else ""

    def can_start(self, cohort: Cohort) -> bool:
        """Whether all but the memory is there."""
        if cohort.upstream:
            return True
        supply = self.supplies.get(cohort)
        here = supply is not None and isinstance(supply.weights, WeightsReady)
        return here and self.find_need(cohort) is not None and not self.find_fault(cohort)

    def lacks_weights(self, cohort: Cohort) -> bool:
        """Whether they must be asked for."""
        supply = self.supplies.get(cohort)
        return supply is not None and isinstance(supply.weights, WeightsAbsent)

    def find_download(self, cohort: Cohort) -> WeightsDownloading | None:
        supply = self.supplies.get(cohort)
        if supply and isinstance(supply.weights, WeightsDownloading):
            return supply.weights
        return None


@dataclass(frozen=True, slots=True)
class Start:
    """Make a replica of this cohort and start it."""

    cohort: Cohort


@dataclass(frozen=True, slots=True)
class Drain:
    """Give this replica no more requests."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Stop:
    """End this replica."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Ensure:
    """Have the weights of this cohort brought here."""

    cohort: Cohort


@dataclass(frozen=True, slots=True)
class Settle:
    """The deployment is healthy with this spec: it is what to return to from now on."""

    address: Address
    spec: Spec


@dataclass(frozen=True, slots=True)
class Return:
    """The deployment is not healthy with this spec: it goes back to what it was."""

    address: Address
    spec: Spec
    outcome: str


Ruling: TypeAlias = Settle | Return
Action: TypeAlias = Ruling | Start | Drain | Stop | Ensure


def place(endpoints: Sequence[Endpoint], before: Sequence[Placed] = ()) -> list[Placed]:
    """All deployments of all endpoints.

    Args:
        before: What they came to the last time, to be kept where nothing has changed.
    """
    known = {id(each.deployment): each for each in before}
    return [
        _place(endpoint, each, known.get(id(each)))
        for endpoint in endpoints
        for each in endpoint.deployments
    ]


def _place(endpoint: Endpoint, deployment: Deployment, known: Placed | None) -> Placed:
    if (
        known is not None
        and known.deployment is deployment
        and known.address.endpoint == endpoint.name
        and (known.kind, known.project) == (endpoint.kind, endpoint.project)
    ):
        return known
    address = Address(endpoint.name, deployment.name)
    return Placed(address, endpoint.kind, endpoint.project, deployment)


def draw_lines(situation: Situation, placed: Sequence[Placed]) -> Mapping[Cohort, Line]:
    """What is wanted, cohort by cohort."""
    members: dict[Cohort, list[Placed]] = {}
    for each in placed:
        members.setdefault(each.cohort, []).append(each)
    owned: dict[Address, list[Cohort]] = {}
    for cohort in situation.by_cohort:
        if cohort.owner is not None:
            owned.setdefault(cohort.owner, []).append(cohort)
    return {
        cohort: Line(
            cohort,
            tuple(those),
            _count_wanted(situation, cohort, those),
            _find_earlier(situation, cohort, those, owned),
        )
        for cohort, those in members.items()
    }


def _count_wanted(situation: Situation, cohort: Cohort, members: Sequence[Placed]) -> int:
    if cohort.owner is not None:
        return members[0].deployment.scale.minimum
    wanted = _scale(situation, cohort, members)
    if not all(each.is_proven for each in members):
        wanted = max(wanted, 1)  # one must run, to learn whether the spec is healthy at all
    for earlier in {each.stable_cohort for each in members} - {None}:
        assert earlier is not None
        leaving = [each for each in members if each.stable_cohort == earlier]
        wanted = max(wanted, _scale(situation, earlier, leaving))
    return wanted


def _scale(situation: Situation, cohort: Cohort, members: Sequence[Placed]) -> int:
    floor = max(each.deployment.scale.minimum for each in members)
    ceiling = max(each.deployment.scale.maximum for each in members)
    return min(max(situation.demand.get(cohort, 0), floor), max(floor, ceiling))


def _find_earlier(
    situation: Situation,
    cohort: Cohort,
    members: Sequence[Placed],
    owned: Mapping[Address, Sequence[Cohort]],
) -> tuple[Cohort, ...]:
    stable = [each.stable_cohort for each in members if each.stable_cohort is not None]
    others = owned.get(cohort.owner, ()) if cohort.owner is not None else ()
    ready = [each for each in others if each != cohort and situation.count_ready(each)]
    return tuple(dict.fromkeys([*stable, *ready]))
