"""Single decisions, each with its reason."""

from dataclasses import replace

from cupola.deployments.fit import Machine, Need
from cupola.deployments.model import (
    DEFAULT_PROJECT,
    Address,
    Deployment,
    DeploymentState,
    DeploymentStatus,
    EndpointKind,
    InstanceType,
    Scale,
    Spec,
    WeightsAbsent,
    WeightsDownloading,
    WeightsFailed,
    WeightsState,
)
from cupola.deployments.plan import Plan, make_plan
from cupola.deployments.situation import (
    Action,
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
from cupola.ids import DeploymentName, EndpointName, ModelName, ProjectName, ReplicaId
from tests.deployments.worlds import HERE

GIB = 1024**3
OLD, NEW = Spec(ModelName("Old")), Spec(ModelName("New"))
BLUE = Address(EndpointName("chat"), DeploymentName("blue"))
OLDS, NEWS = Cohort(OLD, BLUE, "small"), Cohort(NEW, BLUE, "small")


def managed(spec: Spec = OLD, stable: Spec | None = OLD, instances: int = 1) -> Placed:
    scale = Scale(instances, instances, "small")
    deployment = Deployment(BLUE.deployment, spec, scale, created=0, revision=2, stable=stable)
    return Placed(BLUE, EndpointKind.MANAGED, DEFAULT_PROJECT, deployment)


def serverless(name: str, spec: Spec = OLD, floor: int = 0, ceiling: int = 3) -> Placed:
    address = Address(EndpointName(name), DeploymentName(name))
    deployment = Deployment(address.deployment, spec, Scale(floor, ceiling), created=0, stable=spec)
    return Placed(address, EndpointKind.SERVERLESS, DEFAULT_PROJECT, deployment)


def replica(cohort: Cohort, phase: Phase = Phase.READY, name: str = "", **more: object) -> Observed:
    name = name or f"{cohort.spec.model}-{phase}"
    return replace(Observed(ReplicaId(name), cohort, phase, began=0, since=0), **more)  # type: ignore[arg-type]


def look(
    *placed: Placed,
    replicas: tuple[Observed, ...] = (),
    weights: WeightsState = HERE,
    need: int = GIB,
    free: int = 100 * GIB,
    total: int = 100 * GIB,
    **more: object,
) -> Situation:
    cohorts = {c for each in placed for c in (each.cohort, each.stable_cohort) if c is not None}
    supply = Supply(weights, Need(0, need, "", (("Q4_K_M", need // 2),)))
    situation = Situation(
        placed=placed,
        replicas=replicas,
        supplies=dict.fromkeys(cohorts, supply),
        machine=Machine(total, free, 8),
        types={"small": InstanceType("small", 1, 10 * GIB)},
        now=1.0,
    )
    return replace(situation, **more)  # type: ignore[arg-type]


def actions(plan: Plan) -> list[Action]:
    return list(plan.actions)


def status(plan: Plan) -> DeploymentStatus:
    [one] = plan.statuses.values()
    return one


def test_instances_are_started():
    """As many as were asked for, and no more when they are there."""
    plan = make_plan(look(managed(instances=2)))

    assert [Start(OLDS), Start(OLDS)] == actions(plan)
    assert (DeploymentState.STARTING, 0, 2) == _short(plan)


def test_same_spec_shares_replicas():
    """Two serverless deployments of a model run on one group: the highest floor and ceiling."""
    both = serverless("one", floor=1, ceiling=1), serverless("two", floor=0, ceiling=4)
    plan = make_plan(look(*both, demand={Cohort(OLD): 9}))

    assert [Start(Cohort(OLD))] * 4 == actions(plan)


def test_roll_out_begins_with_one_more():
    """The old one stays until the new one is ready."""
    plan = make_plan(look(managed(NEW), replicas=(replica(OLDS),)))

    assert [Start(NEWS)] == actions(plan)
    assert (DeploymentState.UPDATING, 1, 1) == _short(plan)
    assert "Revision 2 is rolled out: 0 of 1" in status(plan).reason


def test_roll_out_ends_with_the_old_one():
    """Once the new one is ready, that is stored, and the old one gets no more requests."""
    before = replica(OLDS, busy=3)
    plan = make_plan(look(managed(NEW), replicas=(before, replica(NEWS))))

    assert [Settle(BLUE, NEW), Drain(before.id)] == actions(plan)
    assert DeploymentState.READY is status(plan).state


def test_draining_has_an_end():
    """What is under way is waited for, but not for ever."""
    draining = replica(OLDS, Phase.DRAINING, busy=1)
    soon = look(managed(), replicas=(replica(OLDS), draining), pace=Pace(drain=10))

    assert [] == actions(make_plan(soon))
    assert [Stop(draining.id)] == actions(make_plan(replace(soon, now=10.0)))


def test_without_room_for_both_they_are_replaced_one_by_one():
    """One old replica makes room; the status says so before anybody wonders."""
    tight = look(
        managed(NEW), replicas=(replica(OLDS),), need=6 * GIB, free=4 * GIB, total=10 * GIB
    )
    plan = make_plan(tight)

    assert [Stop(replica(OLDS).id)] == actions(plan)
    assert "needs 6.0 GiB, this machine has 4.0 GiB free" in status(plan).reason
    assert "replaced one by one" in status(plan).reason


def test_old_one_stays_where_its_going_would_not_help():
    """What others hold is not freed by stopping ours."""
    plan = make_plan(look(managed(NEW), replicas=(replica(OLDS),), need=6 * GIB, free=0 * GIB,
                          total=13 * GIB))  # fmt: skip

    assert [Stop(replica(OLDS).id)] == actions(plan)
    plan = make_plan(look(managed(NEW), replicas=(replica(OLDS),), need=6 * GIB, free=-GIB))
    assert [] == actions(plan)
    assert DeploymentState.UPDATING is status(plan).state
    assert "this machine has 0 MiB free" in status(plan).reason


def test_a_spec_that_this_machine_cannot_hold_goes_back_at_once():
    """There is nothing to wait for."""
    types = {"small": InstanceType("small", 1, 500 * GIB)}
    situation = look(managed(NEW), replicas=(replica(OLDS),), types=types, need=200 * GIB)
    [back] = actions(make_plan(situation))

    assert isinstance(back, Return)
    assert (
        "needs 200.0 GiB, this machine has 100.0 GiB in all: choose Q4_K_M or give" in back.outcome
    )


def test_three_failures_bring_the_stable_spec_back():
    """The outcome says what failed; what was started for it is stopped."""
    failing = replica(NEWS, Phase.BACKING_OFF, failures=3, ended="The engine ended.")
    plan = make_plan(look(managed(NEW), replicas=(replica(OLDS), failing)))
    [back, stop] = actions(plan)

    assert isinstance(back, Return)
    assert "Revision 2 was not healthy, so the one before it is back." in back.outcome
    assert "3 times in a row. The engine ended." in back.outcome
    assert Stop(failing.id) == stop
    assert DeploymentState.READY is status(plan).state


def test_a_roll_out_has_a_limit():
    """A replica that starts for ever is no roll-out."""
    slow = replica(NEWS, Phase.STARTING)
    situation = look(managed(NEW), replicas=(replica(OLDS), slow), pace=Pace(ready_within=60))

    assert [] == actions(make_plan(situation))
    assert isinstance(actions(make_plan(replace(situation, now=60.0)))[0], Return)


def test_first_spec_is_tried_on():
    """With nothing to return to, a failing deployment goes on trying, and says so."""
    failing = replica(OLDS, Phase.BACKING_OFF, failures=9, ended="The engine ended with code 1.")
    plan = make_plan(look(managed(stable=None), replicas=(failing,)))

    assert [] == actions(plan)
    assert (DeploymentState.BACKING_OFF, 0, 1) == _short(plan)
    assert "code 1. `cupola logs chat` shows" in status(plan).reason


def test_weights_are_asked_for_once():
    """However many deployments want them."""
    both = managed(), serverless("other")
    plan = make_plan(look(*both, weights=WeightsAbsent(), demand={Cohort(OLD): 1}))

    assert [Ensure(OLDS)] == actions(plan)


def test_download_is_told_with_its_progress():
    """A person who waits sees how far it is."""
    plan = make_plan(look(managed(), weights=WeightsDownloading(0.43)))

    assert DeploymentState.DOWNLOADING is status(plan).state
    assert "Downloading 43%" in status(plan).reason
    assert 0.43 == status(plan).progress


def test_weights_that_cannot_be_had():
    """The reason is the shelf's, with its mend."""
    plan = make_plan(look(managed(), weights=WeightsFailed("Put the file there.")))

    assert (DeploymentState.FAILED, "Put the file there.") == (
        status(plan).state,
        status(plan).reason,
    )


def test_lack_of_memory_names_the_mends():
    """A smaller quantisation that fits, and what could be stopped: of the same project only."""
    other = serverless("hungry", NEW, floor=1)
    foreign = replace(serverless("foreign", Spec(ModelName("F")), 1), project=ProjectName("theirs"))
    running = (replica(Cohort(NEW)), replica(foreign.cohort))
    plan = make_plan(
        look(managed(stable=None), other, foreign, replicas=running, need=5 * GIB, free=3 * GIB)
    )
    told = plan.statuses[BLUE]

    assert [] == actions(plan)
    assert DeploymentState.FAILED is told.state
    assert (
        "It needs 5.0 GiB, this machine has 3.0 GiB free: choose Q4_K_M or stop hungry or give it "
        "fewer slots or a shorter context." == told.reason
    )


def test_instance_type_must_hold_the_model():
    """Even where the machine could."""
    plan = make_plan(look(managed(stable=None), need=20 * GIB))

    assert [] == actions(plan)
    assert "an instance of type small has 10.0 GiB" in status(plan).reason


def test_nobody_asks_so_nothing_runs():
    """Scaled to zero is a state of its own, and healthy."""
    plan = make_plan(look(serverless("idle")))

    assert [] == actions(plan)
    assert (DeploymentState.SCALED_TO_ZERO, 0, 0) == _short(plan)
    assert status(plan).reason


def test_a_new_spec_must_prove_itself_once():
    """Even where nobody asks: else a broken model would be found out by the first caller."""
    idle = serverless("idle")
    unproven = replace(idle, deployment=replace(idle.deployment, stable=None))

    assert [Start(Cohort(OLD))] == actions(make_plan(look(unproven)))


def test_idle_replicas_go_first():
    """A smaller scale takes those that do least."""
    ones = tuple(
        replica(OLDS, name=f"r{n}", busy=busy, began=n) for n, busy in enumerate((2, 0, 1))
    )
    plan = make_plan(look(managed(instances=1), replicas=ones))

    assert [Stop(ReplicaId("r1")), Drain(ReplicaId("r2"))] == actions(plan)


def _short(plan: Plan) -> tuple[DeploymentState, int, int]:
    return status(plan).state, status(plan).ready, status(plan).wanted
