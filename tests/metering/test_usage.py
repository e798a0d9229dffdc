import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.kit.errors import Invalid
from cupola.metering.memory import MemoryRecords
from cupola.metering.model import DAY, HOUR, Meter, Price, PriceBook, PriceKind, UsageRecord
from cupola.metering.usage import (
    SUMMED,
    Dimension,
    Group,
    InstanceInterval,
    Query,
    Sums,
    align,
    cover,
    is_failure,
    merge,
    roll_up,
    roll_up_hours,
    use_of_instances,
)
from tests.metering.samples import NOON, record

_hours = st.integers(0, 24 * 40)
_names = st.sampled_from(["a", "b"])
_records = st.builds(
    lambda time, **values: record(time=NOON + time, **values),
    time=st.floats(-3 * DAY, 3 * DAY),
    project=_names,
    key=_names,
    model=_names,
    currency=st.sampled_from(["EUR", "USD", ""]),
    status=st.sampled_from([0, 200, 429]),
    prompt=st.integers(0, 2**31),
    cached=st.integers(0, 2**31),
    completion=st.integers(0, 2**31),
    cost=st.integers(0, 2**50),
)


def _expected(records: list[UsageRecord], grain: int) -> dict[tuple[Any, ...], Sums]:
    """The slow and plain way to the same sums."""
    expected: dict[tuple[Any, ...], Sums] = {}
    for each in records:
        start = int(each.time) - int(each.time) % grain
        place = (start, each.project, each.key, each.model, each.currency)
        sums = Sums(
            1, is_failure(each.status), each.prompt, each.cached, each.completion, each.cost
        )
        expected.setdefault(place, Sums()).add(sums)
    return expected


@given(st.lists(_records), st.sampled_from([HOUR, DAY]))
def test_roll_ups_are_sums(records: list[UsageRecord], grain: int):
    """Each row of a roll-up is the sum of its records, and all rows that of all."""
    rows = roll_up(records, grain)
    found = {(g.start, g.project, g.key, g.model, g.currency): sums for g, sums in rows.items()}

    assert _expected(records, grain) == found


@given(st.lists(_records))
def test_days_are_sums_of_hours(records: list[UsageRecord]):
    """Days made of hours are those made of the records themselves, and their groups are whole."""
    days = roll_up_hours(roll_up(records, HOUR))

    assert roll_up(records, DAY) == days
    assert all(type(group) is Group for group in days)


@given(st.lists(_records, max_size=20), st.data())
def test_late_and_repeated_writes(records: list[UsageRecord], data: st.DataObject):
    """In whatever order and how often records are written, roll-ups sum what is in the ledger."""
    writes = data.draw(st.lists(st.sampled_from(records), max_size=30)) if records else []

    async def write() -> tuple[list[UsageRecord], dict[int, Sums]]:
        ledger = MemoryRecords()
        for each in writes:
            await ledger.write([each])
        kept = [each for _, each in await ledger.page((0.0, 0), 1e12, {}, 1000)]
        sums = {grain: Sums() for grain in (HOUR, DAY)}
        for by, grain in ((Dimension.HOUR, HOUR), (Dimension.DAY, DAY)):
            query = Query(0, 10**10 // HOUR * HOUR, (by,))
            for row in await ledger.sum(query, 10**6):
                sums[grain].add(row.sums)
        return kept, sums

    kept, sums = asyncio.run(write())
    total = Sums()
    for each in _expected(kept, DAY).values():
        total.add(each)

    assert {each.request for each in writes} == {each.request for each in kept}
    assert {HOUR: total, DAY: total} == sums


@given(_hours, _hours)
def test_cover_has_each_hour_once(start: int, length: int):
    """The pieces hold each hour of the period once, and nothing else; days are whole."""
    start, end = start * HOUR, (start + length + 1) * HOUR
    hours = Counter(
        hour for _, first, last in cover(start, end) for hour in range(first, last, HOUR)
    )

    assert Counter(range(start, end, HOUR)) == hours
    assert all(first % grain == last % grain == 0 for grain, first, last in cover(start, end))
    assert all(last - first <= 2 * DAY for grain, first, last in cover(start, end) if grain == HOUR)


def test_align_takes_whole_hours():
    """A period of any seconds becomes the hours that it touches."""
    assert (HOUR, 3 * HOUR) == align(HOUR + 0.5, 2 * HOUR + 1)
    assert (HOUR, 2 * HOUR) == align(HOUR, 2 * HOUR)


@pytest.mark.parametrize(
    "arguments",
    [
        (HOUR, HOUR),
        (1, HOUR),
        (0, HOUR + 1),
        (0, HOUR, (Dimension.KEY, Dimension.KEY)),
        (0, HOUR, (Dimension.HOUR, Dimension.DAY)),
        (0, HOUR, (), {Dimension.DAY: frozenset({"1"})}),
    ],
)
def test_senseless_queries_are_refused(arguments: tuple[Any, ...]):
    """A query that no roll-up can answer is refused with what to do instead."""
    with pytest.raises(Invalid):
        Query(*arguments)


_INTERVAL = InstanceInterval("pilot", "blue", "default", "M", "small", 4, 0, 0)
_BOOK = PriceBook(
    [
        Price(PriceKind.INSTANCE_TYPE, "small", "EUR", 3 * HOUR, hour=7, version=1),
        Price(PriceKind.INSTANCE_TYPE, "small", "USD", 5 * HOUR, hour=9, version=2),
    ]
)


def _interval(started: int, until: int) -> InstanceInterval:
    names = ("pilot", "blue", "default", "M", "small")
    return InstanceInterval(*names, cores=4, started=started, until=until)


def test_instances_by_hour():
    """Core seconds are cut at the hours and at the period."""
    query = Query(HOUR, 4 * HOUR, (Dimension.HOUR, Dimension.MODEL))
    rows = merge(use_of_instances(query, [_interval(0, 2 * HOUR + 60)], PriceBook()))

    assert {(HOUR, "M"): 4 * HOUR, (2 * HOUR, "M"): 240} == {
        row.group: row.sums.core_seconds for row in rows
    }


def test_instances_cost_what_held_then():
    """Each price counts for the time in which it held, and before the first nothing is to pay."""
    rows = merge(use_of_instances(Query(0, DAY), [_interval(2 * HOUR, 6 * HOUR)], _BOOK))

    assert [("", 0, HOUR), ("EUR", 14, 2 * HOUR), ("USD", 9, HOUR)] == [
        (row.currency, row.sums.cost, row.sums.core_seconds // 4) for row in rows
    ]


@given(st.lists(st.tuples(_hours, st.integers(1, 200_000)), max_size=5), st.sampled_from(Dimension))
def test_instances_are_grouped_without_loss(lengths: list[tuple[int, int]], by: Dimension):
    """However they are grouped, core seconds add up to the same."""
    intervals = [_interval(start * HOUR + 17, start * HOUR + 17 + long) for start, long in lengths]
    rows = use_of_instances(Query(0, 100 * DAY, (by,)), intervals, _BOOK)

    assert 4 * sum(long for _, long in lengths) == sum(row.sums.core_seconds for row in rows)


def test_instances_are_nobodys_key():
    """With a filter by key or by another kind, instances are left out."""
    intervals = [_interval(0, HOUR)]
    by_key = Query(0, DAY, (), {Dimension.KEY: frozenset({"primary"})})
    by_kind = Query(0, DAY, (), {Dimension.KIND: frozenset({"serverless"})})
    managed = Query(0, DAY, (), {Dimension.KIND: frozenset({"managed"})})

    assert [] == list(use_of_instances(by_key, intervals, _BOOK))
    assert [] == list(use_of_instances(by_kind, intervals, _BOOK))
    assert 1 == len(list(use_of_instances(managed, intervals, _BOOK)))


def test_meters_have_the_services_names():
    """Bills say what the service's bills say."""
    sums = Sums(prompt=3, completion=4, core_seconds=5400)

    assert {
        "paygo-inference-input-tokens": 3,
        "paygo-inference-output-tokens": 4,
        "core-hours": 1.5,
    } == sums.meters()
    assert Meter.INPUT_TOKENS in sums.meters()
    assert "core_seconds" not in SUMMED
