"""What an endpoint is, from what its deployments are: pure.

deployments                                          the endpoint
all ready, or asleep                                 ready
some answer, another is changed or not there yet     updating
none answers, none has failed                        creating
some answer, others failed or are backing off        ready, and the reason says of them
none answers, some failed or are backing off         failed
all stopping or stopped                              stopped
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from cupola.deployments.model import Deployment, DeploymentState, DeploymentStatus, Endpoint

_ANSWERING: Final = frozenset({DeploymentState.READY, DeploymentState.SCALED_TO_ZERO})
_FAILING: Final = frozenset({DeploymentState.FAILED, DeploymentState.BACKING_OFF})
_ENDED: Final = frozenset({DeploymentState.STOPPING, DeploymentState.STOPPED})


class State(StrEnum):
    """How far an endpoint is."""

    CREATING = "creating"
    READY = "ready"
    UPDATING = "updating"
    FAILED = "failed"
    DELETING = "deleting"
    STOPPED = "stopped"


class Condition(NamedTuple):
    """How far, why, and how much of it is done (0 to 1; None: not to be known)."""

    state: State
    reason: str
    progress: float | None = None


def read_deployment(
    deployment: Deployment, statuses: Sequence[DeploymentStatus]
) -> DeploymentStatus:
    """The deployment's own status; one that nobody has looked at yet is starting."""
    for status in statuses:
        if status.deployment == deployment.name:
            return status
    return DeploymentStatus(
        deployment=deployment.name,
        state=DeploymentState.STARTING,
        reason="It was asked for just now; wait a moment.",
        progress=None,
        ready=0,
        wanted=deployment.scale.minimum,
        revision=deployment.revision,
    )


def read_endpoint(endpoint: Endpoint, statuses: Sequence[DeploymentStatus]) -> Condition:
    """The endpoint's condition."""
    found = [read_deployment(each, statuses) for each in endpoint.deployments]
    states = {each.state for each in found}
    answers = bool(states & _ANSWERING) or any(each.ready for each in found)
    if states <= _ANSWERING:
        return Condition(State.READY, _say(found))
    if states <= _ENDED:
        return Condition(State.STOPPED, _say(found))
    if not answers and states & _FAILING:
        return Condition(State.FAILED, _say([each for each in found if each.state in _FAILING]))
    if states <= _ANSWERING | _FAILING:
        return Condition(State.READY, _say(found))
    state = State.UPDATING if answers else State.CREATING
    return Condition(state, _say(found), _find_progress(found))


def _say(found: Sequence[DeploymentStatus]) -> str:
    told = [each for each in found if each.reason]
    if len(told) == 1 and len(found) == 1:
        return told[0].reason
    return " ".join(f"{each.deployment}: {each.reason}" for each in told)


def _find_progress(found: Sequence[DeploymentStatus]) -> float | None:
    """Of the one that has the longest way to go."""
    known = [each.progress for each in found if each.progress is not None]
    return min(known, default=None)
