"""Whether a changed spec has proved healthy, or goes back to the one before it.

    every wanted replica of the new spec is ready               settle: it is the stable one now
    one failed three times in a row, or was not ready in time,
    or none can ever start (weights, file, instance type)       return, if there is a stable one
    else                                                        go on

Without a stable spec there is nothing to return to: it is tried on, less and less often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cupola.deployments.situation import Cohort, Line, Placed, Return, Ruling, Settle, Situation


def judge(situation: Situation, lines: Mapping[Cohort, Line]) -> list[Ruling]:
    """What is to be stored of deployments whose spec is not proven yet."""
    rulings: list[Ruling] = []
    for line in lines.values():
        if line.cohort.upstream or all(each.is_proven for each in line.members):
            continue
        if situation.count_ready(line.cohort) >= max(line.wanted, 1):
            unproven = [each for each in line.members if not each.is_proven]
            rulings += [Settle(each.address, each.deployment.spec) for each in unproven]
        elif fault := _find_failure(situation, line.cohort):
            leaving = [each for each in line.members if each.stable_cohort is not None]
            rulings += [_return(each, fault) for each in leaving]
    return rulings


def apply_ruling(placed: Placed, ruling: Ruling) -> Placed:
    """The deployment as it is once the ruling has been stored."""
    deployment = placed.deployment
    match ruling:
        case Settle(spec=spec):
            return replace(placed, deployment=replace(deployment, stable=spec, outcome=""))
        case Return(outcome=outcome):
            assert deployment.stable is not None
            back = replace(
                deployment,
                spec=deployment.stable,
                revision=deployment.revision + 1,
                outcome=outcome,
            )
            return replace(placed, deployment=back)


def apply_rulings(placed: Sequence[Placed], rulings: Sequence[Ruling]) -> list[Placed]:
    """All deployments as they are then."""
    of = {ruling.address: ruling for ruling in rulings}
    return [apply_ruling(each, of[each.address]) if each.address in of else each for each in placed]


def _find_failure(situation: Situation, cohort: Cohort) -> str:
    if fault := situation.find_fault(cohort):
        return fault
    pace = situation.pace
    for each in situation.alive(cohort):
        if each.failures >= pace.failures:
            return f"Its engine did not stay up, {each.failures} times in a row. {each.ended}"
        if not each.is_ready and situation.now - each.began >= pace.ready_within:
            return f"It did not become ready within {pace.ready_within:.0f} seconds. {each.ended}"
    return ""


def _return(placed: Placed, fault: str) -> Return:
    return Return(
        placed.address,
        placed.deployment.spec,
        f"Revision {placed.deployment.revision} was not healthy, so the one before it is back. "
        f"{fault.strip()}",
    )
