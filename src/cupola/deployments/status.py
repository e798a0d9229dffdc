"""What to say of a deployment: a state, and a reason that a person can act on.

The first that holds:

    a changed spec is rolled out, and an earlier one answers    updating
    a replica is ready                                          ready
    it cannot be started at all                                 failed
    its weights are on their way                                downloading
    it does not fit                                             failed
    a replica ended and will be started again                   backing off
    none is wanted                                              scaled to zero
    else                                                        starting
"""

from collections.abc import Mapping

from cupola.deployments.model import Address, DeploymentState, DeploymentStatus
from cupola.deployments.situation import Cohort, Line, Phase, Placed, Situation

_LOGS = "`cupola logs {}` shows what it said."


def tell(
    situation: Situation, lines: Mapping[Cohort, Line], lacks: Mapping[Cohort, str]
) -> Mapping[Address, DeploymentStatus]:
    """The status of every deployment."""
    return {
        each.address: _tell(situation, line, each, lacks.get(line.cohort, ""))
        for line in lines.values()
        for each in line.members
    }


def _tell(situation: Situation, line: Line, placed: Placed, lack: str) -> DeploymentStatus:
    ready = situation.count_ready(line.cohort)
    earlier = sum(situation.count_ready(each) for each in line.find_earlier(placed))
    state, reason, progress = _find_state(situation, line, placed, lack)
    if earlier and ready < line.wanted:
        hindrance = "" if state in (DeploymentState.STARTING, DeploymentState.READY) else reason
        done = f"{ready} of {line.wanted} replicas are ready"
        reason = (
            f"Revision {placed.deployment.revision} is rolled out: {done}; the one before it "
            f"answers meanwhile. {hindrance or lack}"
        ).strip()
        state, progress = DeploymentState.UPDATING, ready / line.wanted
    elif state is DeploymentState.READY and ready < line.wanted:
        reason = f"{ready} of {line.wanted} replicas are ready. {lack}".strip()
    return DeploymentStatus(
        deployment=placed.address.deployment,
        state=state,
        reason=reason,
        progress=progress,
        ready=ready + earlier,
        wanted=line.wanted,
        revision=placed.deployment.revision,
    )


def _find_state(
    situation: Situation, line: Line, placed: Placed, lack: str
) -> tuple[DeploymentState, str, float | None]:
    cohort, name = line.cohort, placed.address.endpoint
    alive = situation.alive(cohort)
    if situation.count_ready(cohort):
        return DeploymentState.READY, "", None
    if fault := situation.find_fault(cohort):
        return DeploymentState.FAILED, fault, None
    if (download := situation.find_download(cohort)) is not None:
        known = "" if download.progress is None else f" {download.progress:.0%}"
        reason = f"Downloading{known} of the weights of {cohort.spec.model}: wait, or delete it."
        return DeploymentState.DOWNLOADING, reason, download.progress
    if situation.lacks_weights(cohort):
        reason = f"The weights of {cohort.spec.model} are about to be downloaded: wait."
        return DeploymentState.DOWNLOADING, reason, None
    if lack and not alive:
        return DeploymentState.FAILED, lack, None
    ends = [each.ended for each in alive if each.ended]
    if ends and all(each.phase is Phase.BACKING_OFF or each.ended for each in alive):
        reason = f"The model is being started again. {ends[0]} {_LOGS.format(name)}"
        return DeploymentState.BACKING_OFF, reason, None
    if line.wanted == 0:
        return DeploymentState.SCALED_TO_ZERO, "Nobody asked for a while: a request wakes it.", None
    return DeploymentState.STARTING, f"The model is starting. {_LOGS.format(name)}", None
