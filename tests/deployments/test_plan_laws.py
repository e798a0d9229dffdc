"""The laws of a plan, in a world where replicas start, die and stop as they like."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cupola.deployments.fit import Machine, Need
from cupola.deployments.model import (
    DEFAULT_PROJECT,
    Address,
    Deployment,
    DeploymentState,
    EndpointKind,
    InstanceType,
    Scale,
    Spec,
    WeightsAbsent,
    WeightsDownloading,
    WeightsState,
)
from cupola.deployments.plan import SURGE, Plan, make_plan
from cupola.deployments.rollout import apply_rulings
from cupola.deployments.situation import (
    Cohort,
    Drain,
    Ensure,
    Observed,
    Pace,
    Phase,
    Placed,
    Return,
    Settle,
    Situation,
    Start,
    Stop,
    Supply,
)
from cupola.ids import DeploymentName, EndpointName, ModelName, ReplicaId
from tests.deployments.worlds import HERE

PACE = Pace(failures=3, ready_within=100.0, drain=10.0, idle=30.0)
SPECS = [Spec(ModelName(f"model-{n}")) for n in range(3)]
NAMES = ["alpha", "beta", "gamma"]
EASY, TIGHT = 1_000, 7


@dataclass
class World:
    """What a plan would act on; acting is done at once, and nothing fails unless told to."""

    memory: int = EASY
    placed: list[Placed] = field(default_factory=list)
    replicas: dict[ReplicaId, Observed] = field(default_factory=dict)
    weights: dict[Spec, WeightsState] = field(default_factory=dict)
    demand: dict[Cohort, int] = field(default_factory=dict)
    now: float = 0.0
    made: int = 0

    def look(self) -> Situation:
        loaded = [r for r in self.replicas.values() if r.phase not in _LOADING]
        return Situation(
            placed=list(self.placed),
            replicas=list(self.replicas.values()),
            supplies={cohort: self._supply(cohort) for cohort in self._cohorts()},
            machine=Machine(self.memory, self.memory - sum(map(size, loaded)), 8),
            types={"small": InstanceType("small", 1, 100)},
            now=self.now,
            demand=dict(self.demand),
            pace=PACE,
        )

    def act(self, plan: Plan) -> None:
        rulings = [each for each in plan.actions if isinstance(each, Settle | Return)]
        self.placed = apply_rulings(self.placed, rulings)
        for action in plan.actions:
            match action:
                case Start(cohort=cohort):
                    self.made += 1
                    name = ReplicaId(f"r{self.made}")
                    self.replicas[name] = Observed(name, cohort, Phase.STARTING, self.now, self.now)
                case Drain(replica=name):
                    self.enter(name, Phase.DRAINING)
                case Stop(replica=name):
                    self.enter(name, Phase.STOPPING)
                case Ensure(cohort=cohort):
                    self.weights[cohort.spec] = WeightsDownloading(0.5)

    def enter(self, name: ReplicaId, phase: Phase) -> None:
        self.replicas[name] = replace(self.replicas[name], phase=phase, since=self.now)

    def _supply(self, cohort: Cohort) -> Supply:
        return Supply(self.weights.get(cohort.spec, HERE), Need(0, SIZES[cohort.spec]))

    def _cohorts(self) -> set[Cohort]:
        there = {c for p in self.placed for c in (p.cohort, p.stable_cohort) if c is not None}
        return there | {each.cohort for each in self.replicas.values()}


SIZES = {SPECS[0]: 1, SPECS[1]: 2, SPECS[2]: 3}
_LOADING = (Phase.STARTING, Phase.BACKING_OFF)


def size(replica: Observed) -> int:
    return SIZES[replica.cohort.spec]


def serving(world: World, each: Placed) -> int:
    """Replicas that answer for a deployment now."""
    cohorts = {each.cohort, each.stable_cohort}
    owner = each.cohort.owner
    return sum(
        r.is_ready and (r.cohort in cohorts or (owner is not None and r.cohort.owner == owner))
        for r in world.replicas.values()
    )


class Day(RuleBasedStateMachine):
    """Anything happens, in any order; after each thing a plan is made and carried out."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(memory=st.sampled_from([EASY, TIGHT]))
    def begin(self, memory: int) -> None:
        self.world.memory = memory

    @rule(
        name=st.sampled_from(NAMES),
        spec=st.sampled_from(SPECS),
        count=st.integers(1, 3),
        managed=st.booleans(),
        floor=st.integers(0, 2),
    )
    def put(self, name: str, spec: Spec, count: int, managed: bool, floor: int) -> None:
        """Deploy, or change the spec or the scale of what is deployed."""
        scale = Scale(count, count, "small") if managed else Scale(min(floor, count), count)
        kind = EndpointKind.MANAGED if managed else EndpointKind.SERVERLESS
        known = {each.address.endpoint: each for each in self.world.placed}
        address = Address(EndpointName(name), DeploymentName(name))
        if (old := known.get(address.endpoint)) and old.kind is kind:
            changed = replace(old.deployment, spec=spec, scale=scale, outcome="")
            new = replace(old, deployment=changed)
        else:
            fresh = Deployment(address.deployment, spec, scale, created=0)
            new = Placed(address, kind, DEFAULT_PROJECT, fresh)
        known[address.endpoint] = new
        self.world.placed = [known[key] for key in sorted(known)]

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        self.world.placed = [p for p in self.world.placed if p.address.endpoint != name]

    @rule(spec=st.sampled_from(SPECS), count=st.integers(0, 4))
    def ask(self, spec: Spec, count: int) -> None:
        self.world.demand[Cohort(spec)] = count

    @rule(spec=st.sampled_from(SPECS), here=st.booleans())
    def lose_or_fetch(self, spec: Spec, here: bool) -> None:
        self.world.weights[spec] = HERE if here else WeightsAbsent()

    @precondition(lambda self: self.world.replicas)
    @rule(data=st.data(), busy=st.integers(0, 2))
    def live(self, data: st.DataObject, busy: int) -> None:
        """A replica goes on to the next thing in its life."""
        name = data.draw(st.sampled_from(sorted(self.world.replicas)))
        each = self.world.replicas[name]
        match each.phase:
            case Phase.STARTING if busy == 0:
                changed = replace(
                    each, phase=Phase.BACKING_OFF, failures=each.failures + 1, ended="It ended."
                )
            case Phase.STARTING | Phase.READY:
                changed = replace(each, phase=Phase.READY, busy=busy, ended="", failures=0)
            case Phase.BACKING_OFF:
                changed = replace(each, phase=Phase.STARTING)
            case Phase.DRAINING:
                changed = replace(each, busy=busy)
            case Phase.STOPPING:
                del self.world.replicas[name]
                return
        self.world.replicas[name] = changed

    @rule(seconds=st.sampled_from([1.0, 11.0, 101.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds

    @invariant()
    def plan_keeps_the_laws(self) -> None:
        before = {each.address: serving(self.world, each) for each in self.world.placed}
        situation = self.world.look()
        plan = make_plan(situation)
        self.world.act(plan)
        self._check_bounds(plan)
        self._check_nobody_is_left_alone(plan, before)
        for status in plan.statuses.values():
            assert status.state is DeploymentState.READY or status.reason
        assert {each.address for each in self.world.placed} == set(plan.statuses)
        assert [] == list(make_plan(self.world.look()).actions), "planned again, it does more"

    def _check_bounds(self, plan: Plan) -> None:
        started = {each.cohort for each in plan.actions if isinstance(each, Start)}
        replicas = self.world.replicas.values()
        for each in self.world.placed:
            owner = each.cohort.owner
            family = [r for r in replicas if owner is not None and r.cohort.owner == owner]
            if owner is not None and any(cohort.owner == owner for cohort in started):
                assert len(family) <= each.deployment.scale.minimum + SURGE
        ceilings: dict[Cohort, int] = {}
        for each in self.world.placed:
            for cohort in (each.cohort, each.stable_cohort):
                if cohort is not None and cohort.owner is None:
                    most = each.deployment.scale.maximum
                    ceilings[cohort] = max(most, ceilings.get(cohort, 0))
        for cohort in started & set(ceilings):
            assert (
                len([r for r in replicas if r.cohort == cohort])
                <= max(*ceilings.values(), 0) + SURGE
            )
        if started:
            assert sum(map(size, replicas)) <= self.world.memory

    def _check_nobody_is_left_alone(self, plan: Plan, before: Mapping[Address, int]) -> None:
        """With room enough, what answers for a deployment is not taken from it."""
        if self.world.memory == TIGHT:
            return
        for each in self.world.placed:
            wanted = plan.lines[each.cohort].wanted
            assert serving(self.world, each) >= min(before[each.address], wanted)

    def teardown(self) -> None:
        """Left in peace, everything becomes what is wanted, and then nothing happens any more."""
        if self.world.memory == TIGHT:
            return
        world = self.world
        for _ in range(40):
            plan = make_plan(world.look())
            world.act(plan)
            for name, each in list(world.replicas.items()):
                if each.phase is Phase.STOPPING:
                    del world.replicas[name]
                elif each.phase is Phase.DRAINING:
                    world.replicas[name] = replace(each, busy=0)
                else:
                    world.replicas[name] = replace(each, phase=Phase.READY, busy=0, ended="")
            for spec, state in world.weights.items():
                if isinstance(state, WeightsDownloading):
                    world.weights[spec] = HERE
        plan = make_plan(world.look())
        assert [] == list(plan.actions)
        for one in world.placed:
            assert one.is_proven
            line = plan.lines[one.cohort]
            assert line.wanted == len([r for r in world.replicas.values()
                                       if r.cohort == one.cohort])  # fmt: skip
        assert len(world.replicas) == sum(line.wanted for line in plan.lines.values())


TestDay = Day.TestCase
TestDay.settings = settings(max_examples=60, stateful_step_count=40)
