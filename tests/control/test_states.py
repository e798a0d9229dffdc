"""What an endpoint and an operation are, from what its deployments are."""

from dataclasses import replace

import pytest

from cupola.control.operations import Kind, Operation, Status, judge
from cupola.control.states import State, read_endpoint
from cupola.deployments.model import (
    Deployment,
    DeploymentState,
    DeploymentStatus,
    Endpoint,
    EndpointKind,
    Scale,
    Spec,
)
from cupola.ids import DeploymentName, EndpointName, ModelName, ProjectName

SPEC = Spec(ModelName("Cupola-Pilot"))
BLUE, GREEN = (
    Deployment(DeploymentName(name), SPEC, Scale(1, 1, "small"), created=1000)
    for name in ("blue", "green")
)
ENDPOINT = Endpoint(
    name=EndpointName("pilot"),
    kind=EndpointKind.MANAGED,
    project=ProjectName("ours"),
    created=1000,
    deployments=(BLUE, GREEN),
)
S = DeploymentState


def _statuses(*states: DeploymentState) -> list[DeploymentStatus]:
    return [
        DeploymentStatus(
            each.name, state, f"It is {state}.", 0.5, int(state is S.READY), 1, each.revision
        )
        for each, state in zip((BLUE, GREEN), states, strict=False)
    ]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((S.READY, S.READY), State.READY),
        ((S.READY, S.SCALED_TO_ZERO), State.READY),
        ((S.READY, S.STARTING), State.UPDATING),
        ((S.READY, S.UPDATING), State.UPDATING),
        ((S.SCALED_TO_ZERO, S.DOWNLOADING), State.UPDATING),
        ((S.STARTING, S.DOWNLOADING), State.CREATING),
        ((S.READY, S.FAILED), State.READY),
        ((S.READY, S.BACKING_OFF), State.READY),
        ((S.FAILED, S.STARTING), State.FAILED),
        ((S.BACKING_OFF, S.BACKING_OFF), State.FAILED),
        ((S.STOPPED, S.STOPPING), State.STOPPED),
        ((S.READY,), State.UPDATING),
        ((), State.CREATING),
    ],
    ids=str,
)
def test_an_endpoint_is_what_its_deployments_are(
    states: tuple[DeploymentState, ...], expected: State
):
    """And whatever is not simply ready says why, deployment by deployment."""
    condition = read_endpoint(ENDPOINT, _statuses(*states))

    assert expected == condition.state
    assert condition.reason
    assert (condition.progress is not None) <= (expected in (State.CREATING, State.UPDATING))


OPERATION = Operation(
    Kind.PUT_DEPLOYMENT, "ours", "pilot", 1000, 1005, deployment="blue", revision=1
)


def _judge(operation: Operation, endpoint: Endpoint | None, *states: DeploymentState) -> Status:
    return judge(operation, endpoint, _statuses(*states)).status


def test_an_operation_is_over_when_what_was_wanted_is():
    """It runs while its own deployment does not answer, whatever the others do."""
    assert Status.RUNNING == _judge(OPERATION, ENDPOINT, S.STARTING, S.READY)
    assert Status.SUCCEEDED == _judge(OPERATION, ENDPOINT, S.READY, S.FAILED)
    assert Status.FAILED == _judge(OPERATION, ENDPOINT, S.FAILED, S.READY)
    assert Status.RUNNING == _judge(OPERATION, ENDPOINT)


def test_an_operation_that_was_overtaken_is_cancelled():
    """By another change, by a deletion, by another endpoint of the same name."""
    newer = replace(ENDPOINT, deployments=(replace(BLUE, revision=2), GREEN))
    without = replace(ENDPOINT, deployments=(GREEN,))
    for endpoint in (newer, without, None, replace(ENDPOINT, created=2000)):
        assert Status.CANCELLED == _judge(OPERATION, endpoint, S.READY)


def test_a_return_by_itself_is_a_failure():
    """With the sentence that says why."""
    back = replace(BLUE, outcome="The new one ended at once.")
    outcome = judge(OPERATION, replace(ENDPOINT, deployments=(back, GREEN)), _statuses(S.READY))

    assert (Status.FAILED, back.outcome) == (outcome.status, outcome.reason)


def test_a_deletion_is_over_when_nothing_is_left():
    """Neither in what is wanted, nor in what runs."""
    deletion = replace(OPERATION, kind=Kind.DELETE, deployment="")
    assert Status.RUNNING == _judge(deletion, None, S.STOPPING)
    assert Status.SUCCEEDED == _judge(deletion, None)
    assert Status.FAILED == _judge(deletion, ENDPOINT, S.READY)
    part = replace(OPERATION, kind=Kind.DELETE_DEPLOYMENT)
    without = replace(ENDPOINT, deployments=(GREEN,))
    assert Status.RUNNING == _judge(part, without, S.STOPPING)
    assert Status.SUCCEEDED == _judge(part, without)
