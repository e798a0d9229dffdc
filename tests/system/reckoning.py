"""What callers noted, held against what the ledger says.

    the caller saw                     the ledger must have
    the reply's end                    one record, with the very tokens and finish that were told
    an error in place of the end       one record, `error`
    the head, and then nothing more    one record: of the end that nobody heard, `interrupted`,
                                       `client_gone` or `error`; with the whole prompt and no fewer
                                       tokens than pieces that came
    a refusal                          at most one record, of that status, which costs nothing
    nothing at all                     at most one record, of a time in which the caller waited

and no record beside these. Sums of hours and of days must be those of the records, and costs those
of their tokens.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tests.system.callers import Note

Record = Mapping[str, Any]

_CUT: Final = frozenset({"interrupted", "client_gone", "error"})
_OWN_ENDS: Final = frozenset({"stop", "length", "tool_calls"})
_NOT_THEIRS: Final = 500
"""From this status on it is not the caller's fault."""
_SLACK: Final = 0.5
"""Seconds by which a record's time may lie outside of the caller's: the server reads a clock of its
own, and a connection may wait to be taken."""
_LATEST: Final = 60.0
INPUT: Final = Decimal("0.37")
"""The price of 1,000 tokens of prompts, and in the next one of completions."""
OUTPUT: Final = Decimal("1.113")
_SUMS: Final = ("requests", "input_tokens", "cached_tokens", "output_tokens")


@dataclass
class Findings:
    """Counts of what was seen, and what is wrong, in words."""

    seen: Counter[str] = field(default_factory=Counter)
    finishes: Counter[str] = field(default_factory=Counter)
    """Of the records."""
    filled: Counter[str] = field(default_factory=Counter)
    """Records that tell what may be left out."""
    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Tokens or finish of requests seen complete."""
    cut: list[str] = field(default_factory=list)
    """The same of requests that were cut."""
    strange: list[str] = field(default_factory=list)
    """Records of no request."""
    sums: list[str] = field(default_factory=list)
    """Roll-ups that are not the sum of their records."""
    left: list[str] = field(default_factory=list)
    """What is not as it was before: files, requests in progress, limits."""

    @property
    def faults(self) -> Sequence[str]:
        return [
            *self.lost, *self.double, *self.wrong, *self.cut, *self.strange, *self.sums, *self.left,
        ]  # fmt: skip


def reckon(notes: Sequence[Note], records: Sequence[Record]) -> Findings:
    """Hold the two against each other."""
    found = Findings()
    times = Counter(record["request"] for record in records)
    found.double += [f"{request}: {count} records" for request, count in times.items() if count > 1]
    known = {record["request"]: record for record in records}
    prompts = _learn_prompts(notes, found)
    for note in notes:
        kind = _classify(note)
        found.seen[kind] += 1
        if note.id:
            _CHECKS.get(kind, _check_refused)(note, known.pop(note.id, None), prompts, found)
    _match(known.values(), [note for note in notes if not note.id], found)
    for record in records:
        found.finishes[record["finish"]] += 1
        for name in ("queue", "first_token", "replica", "cached", "currency"):
            found.filled[name] += bool(record[name])
    return found


def _classify(note: Note) -> str:
    if not note.id:
        return "no head came, hung up" if note.left else "no head came"
    if note.status != 200:
        return f"refused with {note.status}"
    if note.complete:
        return "ended with an error" if "error" in note.finishes else "seen complete"
    return "hung up" if note.left else "cut off"


def _learn_prompts(notes: Sequence[Note], found: Findings) -> Mapping[tuple[int, bool], int]:
    """How long each prompt is, as complete replies told."""
    known: dict[tuple[int, bool], int] = {}
    for note in notes:
        if note.complete and note.usage is not None:
            told = known.setdefault(note.wish.prompt, note.usage[0])
            if told != note.usage[0]:
                found.wrong.append(f"{note.id}: the same prompt has {told}, {note.usage[0]} tokens")
    return known


Prompts = Mapping[tuple[int, bool], int]


def _check_complete(note: Note, record: Record | None, prompts: Prompts, found: Findings) -> None:
    if record is None:
        found.lost.append(f"{note.id} was seen complete and is in no record")
        return
    told = (note.usage, 200, True)
    recorded = (_tokens(record), record["status"], record["counted"])
    if told != recorded or record["finish"] not in note.finishes:
        found.wrong.append(f"{note}: recorded {dict(record)}")


def _check_failed(note: Note, record: Record | None, prompts: Prompts, found: Findings) -> None:
    if record is None:
        found.lost.append(f"{note.id} was seen to fail and is in no record")
    elif record["finish"] != "error" or record["status"] != 200:
        found.wrong.append(f"{note.id}: ended with an error, recorded {dict(record)}")
    else:
        _check_pieces(note, record, prompts, found)


def _check_cut(note: Note, record: Record | None, prompts: Prompts, found: Findings) -> None:
    """One record: an end that was settled and whose last bytes were lost is as good."""
    if record is None:
        found.lost.append(f"{note.id} was admitted and is in no record")
        return
    if record["finish"] not in _CUT | _OWN_ENDS:
        found.cut.append(f"{note.id}: cut off, recorded {dict(record)}")
    _check_pieces(note, record, prompts, found)


def _check_pieces(note: Note, record: Record, prompts: Prompts, found: Findings) -> None:
    """Billed for what came, at least, and for the prompt that it answers."""
    prompt, completion = _tokens(record)
    if not note.pieces <= completion <= note.wish.most * note.wish.answers:
        found.cut.append(f"{note.id}: {note.pieces} pieces came, recorded {dict(record)}")
    if note.pieces and prompt != prompts.get(note.wish.prompt, prompt):
        found.cut.append(
            f"{note.id}: a prompt of {prompts[note.wish.prompt]}, recorded {dict(record)}"
        )


def _check_refused(note: Note, record: Record | None, prompts: Prompts, found: Findings) -> None:
    """It may have been admitted before its engine failed; it was given nothing."""
    if note.status < _NOT_THEIRS:
        found.wrong.append(f"{note.id}: refused with {note.status}, and nothing was wrong with it")
    if record is None:
        return
    if record["status"] not in (note.status, 0) or any(_tokens(record)):
        found.wrong.append(f"{note.id}: refused with {note.status}, recorded {dict(record)}")


_CHECKS: Final = {
    "seen complete": _check_complete,
    "ended with an error": _check_failed,
    "hung up": _check_cut,
    "cut off": _check_cut,
}


def _match(records: Iterable[Record], notes: Sequence[Note], found: Findings) -> None:
    """Each record that no caller heard of belongs to a request of its own, without a head, that
    was under way when the record begins."""
    free = sorted(notes, key=lambda note: note.over)
    for record in sorted(records, key=_time):
        time = _time(record)
        fitting = (n for n in free if n.sent - _SLACK <= time <= n.over + _find_slack(n))
        note = next(fitting, None)
        if note is None:
            found.strange.append(f"a record of no request: {dict(record)}")
        else:
            free.remove(note)
            found.seen["of these on record"] += 1


def _find_slack(note: Note) -> float:
    """A request may be read long after its caller hung up, but not after its server was killed."""
    return _LATEST if note.left else _SLACK


def check_sums(
    records: Sequence[Record], rows: Mapping[str, Sequence[Any]], found: Findings
) -> None:
    """`rows`: what the reports of hours and of days say, by these names."""
    for grain, length in (("hour", 13), ("day", 10)):
        summed: dict[str, Counter[str]] = {}
        for record in records:
            sums = summed.setdefault(record["time"][:length], Counter())
            values = (1, record["prompt"], record["cached"], record["completion"])
            sums.update(dict(zip(_SUMS, values, strict=True)))
        told = {r["group"][grain][:length]: Counter({n: r[n] for n in _SUMS}) for r in rows[grain]}
        if told != summed:
            found.sums.append(f"by {grain}: {told}, but the records come to {summed}")


def check_costs(records: Sequence[Record], rows: Sequence[Any], found: Findings) -> None:
    """`rows`: what the report of all cost says. What came before the price costs nothing."""
    total = Decimal(0)
    for record in records:
        prompt, completion = _tokens(record)
        cost = (prompt * INPUT + completion * OUTPUT) / 1000 if record["currency"] else Decimal(0)
        if Decimal(record["cost"]) != cost:
            found.wrong.append(f"{dict(record)} should cost {cost}")
        total += cost
    told = sum((Decimal(row["cost"]) for row in rows), Decimal(0))
    if told != total:
        found.sums.append(f"cost: {told}, but the records come to {total}")


def _tokens(record: Record) -> tuple[int, int]:
    return record["prompt"], record["completion"]


def _time(record: Record) -> float:
    return datetime.fromisoformat(record["time"]).timestamp()
