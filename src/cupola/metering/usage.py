"""Usage in figures: what may be asked for, and the arithmetic of hours and days. No I/O.

A period of time is covered with whole days from the daily roll-ups, and the hours at its two ends
from the hourly ones; all hours and days are of UTC.

    from                                                to
     |..hours..|======= days =======|=======|..hours..|
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final, NamedTuple, Self

from cupola.kit.errors import Invalid
from cupola.metering.model import DAY, HOUR, Meter, PriceBook, UsageRecord

FAILED: Final = 400
"""Replies of this status and above, and requests without a reply, count as failures."""


OF_INSTANCES: Final = "managed"
"""The kind of every deployment that has instances. What serverless ones share is billed by token,
and what an upstream runs is not ours: the fleet keeps no intervals of either."""


class Dimension(StrEnum):
    """What usage may be grouped by and, but for the two of time, filtered by."""

    HOUR = "hour"
    DAY = "day"
    PROJECT = "project"
    ENDPOINT = "endpoint"
    DEPLOYMENT = "deployment"
    KIND = "kind"
    KEY = "key"
    MODEL = "model"


TIMES: Final = frozenset({Dimension.HOUR, Dimension.DAY})


class Group(NamedTuple):
    """What the records of one row of a roll-up have in common."""

    start: int
    currency: str
    """Early, because everything is summed by it: rows then come in the order of the sums."""
    project: str
    endpoint: str
    deployment: str
    kind: str
    key: str
    model: str


@dataclass(slots=True)
class Sums:
    """What is summed; integers only, so no order of adding makes a difference."""

    requests: int = 0
    failures: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    cost: int = 0
    """Nano-units, of tokens and instances."""
    core_seconds: int = 0
    """Of instances; roll-ups have none, they come from the intervals."""

    def add(self, other: Self) -> None:
        self.requests += other.requests
        self.failures += other.failures
        self.prompt += other.prompt
        self.cached += other.cached
        self.completion += other.completion
        self.cost += other.cost
        self.core_seconds += other.core_seconds

    def meters(self) -> Mapping[Meter, float]:
        """The same by the meters' names."""
        return {
            Meter.INPUT_TOKENS: self.prompt,
            Meter.OUTPUT_TOKENS: self.completion,
            Meter.CORE_HOURS: self.core_seconds / HOUR,
        }


SUMMED: Final = tuple(each.name for each in fields(Sums) if each.name != "core_seconds")
"""The columns of a roll-up that hold sums."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which usage, and how it is grouped."""

    start: int
    """Seconds since the Unix epoch, at a full hour; inclusive."""
    end: int
    """The same; exclusive."""
    by: tuple[Dimension, ...] = ()
    where: Mapping[Dimension, frozenset[str]] = field(default_factory=dict)
    """Only what has one of these values."""

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise Invalid("The period must end after it starts.")
        if self.start % HOUR or self.end % HOUR:
            raise Invalid("A period starts and ends at full hours of UTC.")
        if len(set(self.by)) < len(self.by) or set(self.by) >= TIMES:
            raise Invalid("Group by each thing once, and by hour or by day.")
        if wrong := TIMES & self.where.keys():
            raise Invalid(f"Filter the {min(wrong)} by the period instead.")

    @property
    def grain(self) -> int | None:
        """Seconds of a group of time; None: it is not grouped by time."""
        if Dimension.HOUR in self.by:
            return HOUR
        return DAY if Dimension.DAY in self.by else None


class UsageRow(NamedTuple):
    """One group: its values, in the order of `Query.by`, and what it used, in one currency."""

    group: tuple[str | int, ...]
    """Times are the seconds at which the hour or the day starts."""
    currency: str
    """Empty: nothing in it had a price."""
    sums: Sums


@dataclass(frozen=True, slots=True)
class InstanceInterval:
    """One instance's running, as the fleet keeps it: `deployments.model.Interval`, for the bill."""

    endpoint: str
    deployment: str
    project: str
    model: str
    instance_type: str
    cores: int
    started: int
    until: int
    """When it ended, or was last seen."""


def align(start: float, end: float) -> tuple[int, int]:
    """The full hours that hold a period."""
    return int(start // HOUR) * HOUR, -(int(-end // HOUR)) * HOUR


def cover(start: int, end: int) -> Sequence[tuple[int, int, int]]:
    """A period of full hours as pieces `(DAY or HOUR, start, end)`, as few as there can be."""
    first, last = -(-start // DAY) * DAY, end // DAY * DAY
    if first >= last:
        return ((HOUR, start, end),)
    pieces = ((HOUR, start, first), (DAY, first, last), (HOUR, last, end))
    return tuple(piece for piece in pieces if piece[1] < piece[2])


def roll_up(records: Iterable[UsageRecord], grain: int) -> dict[Group, Sums]:
    """The rows of hours or days that `records` add to."""
    rows: dict[Group, Sums] = {}
    for record in records:
        group = (  # equal to a `Group`, and made faster; few records begin a row
            int(record.time) // grain * grain,
            record.currency,
            record.project,
            record.endpoint,
            record.deployment,
            record.kind,
            record.key,
            record.model,
        )
        sums = rows.get(group)  # type: ignore[call-overload]
        if sums is None:
            sums = rows[Group(*group)] = Sums()
        sums.requests += 1
        sums.failures += is_failure(record.status)
        sums.prompt += record.prompt
        sums.cached += record.cached
        sums.completion += record.completion
        sums.cost += record.cost
    return rows


def roll_up_hours(hours: Mapping[Group, Sums]) -> dict[Group, Sums]:
    """The rows of days that rows of hours add to."""
    rows: dict[Group, Sums] = {}
    for hour, sums in hours.items():
        day = hour._replace(start=hour.start // DAY * DAY)
        rows.setdefault(day, Sums()).add(sums)
    return rows


def is_failure(status: int) -> bool:
    return status >= FAILED or status == 0


def place(query: Query, found: Mapping[Dimension, str], start: int) -> tuple[str | int, ...] | None:
    """The group of something that has these values at `start`; None: it is filtered out."""
    if any(found.get(name, "") not in wanted for name, wanted in query.where.items()):
        return None
    grain = query.grain or HOUR
    return tuple(start // grain * grain if by in TIMES else found.get(by, "") for by in query.by)


def merge(rows: Iterable[UsageRow]) -> Sequence[UsageRow]:
    """One row for each group and currency, in order."""
    merged: dict[tuple[tuple[str | int, ...], str], Sums] = {}
    for row in rows:
        merged.setdefault((row.group, row.currency), Sums()).add(row.sums)
    return [
        UsageRow(group, currency, merged[group, currency]) for group, currency in sorted(merged)
    ]


def use_of_instances(
    query: Query, intervals: Iterable[InstanceInterval], book: PriceBook
) -> Iterator[UsageRow]:
    """What instances used, cut at the period and at the hours or days of the query.

    Instances are nobody's key: with a filter by key they are left out. What runs without a price
    costs nothing.
    """
    if Dimension.KEY in query.where:
        return
    for interval in intervals:
        values = {
            Dimension.PROJECT: interval.project,
            Dimension.ENDPOINT: interval.endpoint,
            Dimension.DEPLOYMENT: interval.deployment,
            Dimension.MODEL: interval.model,
            Dimension.KIND: OF_INSTANCES,
        }
        begin, end = max(query.start, interval.started), min(query.end, interval.until)
        for start, until in _cut(begin, end, query.grain):
            group = place(query, values, start)
            if group is not None:
                yield from _price(group, interval, start, until, book)


def _cut(start: int, end: int, grain: int | None) -> Iterator[tuple[int, int]]:
    """The parts of a period that lie in one hour, or one day, each."""
    while start < end:
        until = end if grain is None else min(end, (start // grain + 1) * grain)
        yield start, until
        start = until


def _price(
    group: tuple[str | int, ...],
    interval: InstanceInterval,
    start: int,
    until: int,
    book: PriceBook,
) -> Iterator[UsageRow]:
    """A part of an interval, once for each price that held in it, and once for having none."""
    rest = until - start
    for price, seconds in book.pieces(interval.instance_type, start, until):
        length = int(seconds)
        rest -= length
        cost = (price.hour * length * 2 + HOUR) // (2 * HOUR)
        sums = Sums(cost=cost, core_seconds=interval.cores * length)
        yield UsageRow(group, price.currency, sums)
    if rest:
        yield UsageRow(group, "", Sums(core_seconds=interval.cores * rest))
