"""The pure decision: from what is wanted and what is, to what to do and what to say.

    rulings     which changed specs have proved healthy, which go back      (rollout)
    quotas      how many replicas each cohort shall have just now
    actions     weights to fetch, replicas to start, drain and stop
    statuses    of each deployment: state, reason, progress                 (status)

Laws, which tests hold any situation to:

- Replicas of a cohort never exceed what it shall have by more than one, and those of a managed
  deployment, all specs together, its instances by more than one.
- While a new spec is rolled out, an old replica goes only when a new one is ready in its place; but
  where the memory does not hold both, they are replaced one by one.
- Once its actions are done, a plan made anew has none.
- Every state but `ready` has a reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cupola.deployments.fit import Need, Room, explain_lack
from cupola.deployments.model import Address, DeploymentStatus
from cupola.deployments.rollout import apply_rulings, judge
from cupola.deployments.situation import (
    Action,
    Cohort,
    Drain,
    Ensure,
    Line,
    Observed,
    Phase,
    Situation,
    Start,
    Stop,
    draw_lines,
)
from cupola.deployments.status import tell

SURGE = 1
"""Replicas more than wanted, while one spec takes another's place."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order, and what to say."""

    actions: Sequence[Action]
    lines: Mapping[Cohort, Line]
    statuses: Mapping[Address, DeploymentStatus]


@dataclass
class _Draft:
    """A plan in the making: the replicas that it leaves, and the memory."""

    situation: Situation
    lines: Mapping[Cohort, Line]
    quotas: Mapping[Cohort, int]
    room: Room
    actions: list[Action] = field(default_factory=list)
    retired: set[str] = field(default_factory=set)
    started: dict[Cohort, int] = field(default_factory=dict)
    lacks: dict[Cohort, str] = field(default_factory=dict)
    """Why a cohort's replica does not fit."""
    ensured: set[object] = field(default_factory=set)


def make_plan(situation: Situation) -> Plan:
    """Decide. Planning again at once, when all of it is done, gives nothing to do."""
    rulings = judge(situation, draw_lines(situation, situation.placed))
    placed = apply_rulings(situation.placed, rulings)
    lines = draw_lines(situation, placed)
    draft = _Draft(situation, lines, _set_quotas(situation, lines), _measure_room(situation))
    draft.actions += rulings
    _retire_surplus(draft)
    _start_missing(draft)
    _end_drained(draft)
    return Plan(draft.actions, lines, tell(situation, lines, draft.lacks))


def _set_quotas(situation: Situation, lines: Mapping[Cohort, Line]) -> Mapping[Cohort, int]:
    """Replicas that each cohort shall have now: less than wanted, while others stand in."""
    quotas = {
        line.cohort: min(line.wanted, situation.count_ready(line.cohort) + SURGE)
        if line.earlier
        else line.wanted
        for line in lines.values()
    }
    for line in lines.values():
        stand_ins = max(0, line.wanted - situation.count_ready(line.cohort))
        for cohort, count in _share_out(situation, line, stand_ins):
            quotas[cohort] = max(quotas.get(cohort, 0), count)
    return quotas


def _share_out(situation: Situation, line: Line, count: int) -> Iterator[tuple[Cohort, int]]:
    """Who stands in: those that are ready, then what the stable spec may start anew."""
    stable = {each.stable_cohort for each in line.members}
    ready = {cohort: situation.count_ready(cohort) for cohort in line.earlier}
    kept = {}
    for cohort in line.earlier:
        kept[cohort] = min(ready[cohort], count)
        count -= kept[cohort]
    for cohort in line.earlier:
        if cohort in stable:
            kept[cohort] += count
            count = 0
    yield from kept.items()


def _measure_room(situation: Situation) -> Room:
    """A replica that starts, or will again, has not taken its memory yet."""
    loaded: list[Need] = []
    loading: list[Need] = []
    for each in situation.replicas:
        if (need := situation.find_need(each.cohort)) is not None:
            waits = each.phase in (Phase.STARTING, Phase.BACKING_OFF)
            (loading if waits else loaded).append(need)
    return Room(situation.machine, loaded, loading)


def _retire_surplus(draft: _Draft) -> None:
    for cohort in draft.situation.by_cohort:
        alive = draft.situation.alive(cohort)
        surplus = len(alive) - draft.quotas.get(cohort, 0)
        for each in sorted(alive, key=_order_of_retirement)[: max(0, surplus)]:
            _retire(draft, each)


def _order_of_retirement(replica: Observed) -> tuple[object, ...]:
    """First what does not answer, then what does least, then the youngest."""
    return replica.is_ready, replica.busy, -replica.began, replica.id


def _retire(draft: _Draft, replica: Observed) -> None:
    draft.retired.add(replica.id)
    works = replica.is_ready and replica.busy > 0
    draft.actions.append(Drain(replica.id) if works else Stop(replica.id))


def _start_missing(draft: _Draft) -> None:
    """New specs first: what they leave of the memory is for those that stand in."""
    for line in draft.lines.values():
        _start(draft, line.cohort, line)
    for line in draft.lines.values():
        if line.cohort not in draft.lacks:
            for cohort in line.earlier:
                if cohort not in draft.lines:
                    _start(draft, cohort, line)


def _start(draft: _Draft, cohort: Cohort, line: Line) -> None:
    situation = draft.situation
    alive = [each for each in situation.alive(cohort) if each.id not in draft.retired]
    missing = draft.quotas.get(cohort, 0) - len(alive) - draft.started.get(cohort, 0)
    if missing <= 0:
        return
    if situation.lacks_weights(cohort):
        _ensure(draft, cohort)
    need = situation.find_need(cohort)
    if need is None or not situation.can_start(cohort):
        return
    for _ in range(min(missing, _count_places(draft, cohort, line))):
        if not draft.room.take(need):
            _note_lack(draft, cohort, line, need)
            return
        draft.actions.append(Start(cohort))
        draft.started[cohort] = draft.started.get(cohort, 0) + 1


def _count_places(draft: _Draft, cohort: Cohort, line: Line) -> int:
    """Replicas that may be added: what is being stopped still counts."""
    situation = draft.situation
    own = len(situation.of(cohort)) + draft.started.get(cohort, 0)
    places = draft.quotas[cohort] + SURGE - own
    if cohort.owner is not None:
        family = sum(each.cohort.owner == cohort.owner for each in situation.replicas)
        begun = sum(n for each, n in draft.started.items() if each.owner == cohort.owner)
        places = min(places, line.wanted + SURGE - family - begun)
    return max(0, places)


def _ensure(draft: _Draft, cohort: Cohort) -> None:
    """Once for all cohorts that want the same weights."""
    wanted = (cohort.spec.model, cohort.spec.quantisation)
    if wanted not in draft.ensured:
        draft.ensured.add(wanted)
        draft.actions.append(Ensure(cohort))


def _note_lack(draft: _Draft, cohort: Cohort, line: Line, need: Need) -> None:
    """Say what is missing; where an earlier spec's replica is in the way, let that one go."""
    draft.lacks[cohort] = explain_lack(need, draft.room.free, _name_others(draft, line))
    if cohort != line.cohort:
        return
    family = [each for one in line.earlier for each in draft.situation.of(one)]
    standing = [each for each in family if each.is_alive and each.id not in draft.retired]
    under_way = len(standing) < len(family) or any(
        not each.is_ready for each in draft.situation.alive(cohort)
    )
    own = [each for each in standing if each.cohort not in draft.lines]
    if own and not under_way and _would_fit(draft, need, without=own[0]):
        draft.lacks[cohort] = (
            f"{draft.lacks[cohort]} Since old and new do not fit side by side, they are replaced "
            "one by one."
        )
        _retire(draft, min(own, key=_order_of_retirement))


def _would_fit(draft: _Draft, need: Need, without: Observed) -> bool:
    rest = [each for each in draft.situation.replicas if each.id != without.id]
    held = draft.situation.find_need(without.cohort)
    gained = held.working + held.weights if held else 0
    machine = draft.situation.machine
    freed = type(machine)(machine.total, machine.free + gained, machine.cores)
    needs = [draft.situation.find_need(each.cohort) for each in rest]
    return Room(freed, [each for each in needs if each is not None], []).take(need)


def _name_others(draft: _Draft, line: Line) -> list[str]:
    """Deployments whose replicas take the most, for whoever has to choose.

    Only those that all who may read this know of: of the same project.
    """
    projects = {each.project for each in line.members}
    sizes: dict[str, int] = {}
    for other in draft.lines.values():
        need = draft.situation.find_need(other.cohort)
        running = len(draft.situation.alive(other.cohort))
        known = projects == {each.project for each in other.members}
        if need and running and known and other is not line:
            sizes[str(other.members[0].address)] = need.total * running
    return sorted(sizes, key=lambda name: -sizes[name])


def _end_drained(draft: _Draft) -> None:
    for each in draft.situation.replicas:
        late = draft.situation.now - each.since >= draft.situation.pace.drain
        if each.phase is Phase.DRAINING and (each.busy == 0 or late):
            draft.actions.append(Stop(each.id))
