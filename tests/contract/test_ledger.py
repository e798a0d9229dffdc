"""Every `RecordStore`, read by the `UsageStore` beside it, keeps these promises."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from cupola.metering.budget import TOKENS, Scope
from cupola.metering.model import DAY, HOUR, UsageRecord
from cupola.metering.usage import Dimension, Query, Sums, merge, roll_up
from tests.metering.ledgers import Stores, ledger
from tests.metering.samples import NOON, record

_START = int(NOON) - 20 * DAY
_END = int(NOON) + 20 * DAY
_MIDNIGHT = int(NOON) // DAY * DAY


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    def create() -> str:
        url: str = request.getfixturevalue("empty_postgresql")
        return url

    async with ledger(request.param, tmp_path, create) as found:
        yield found


async def _all(stores: Stores, **where: Any) -> list[UsageRecord]:
    wanted = {Dimension(name): values for name, values in where.items()}
    page = await stores.usage.page((0.0, 0), 1e12, wanted, 1000)
    return [record for _, record in page]


async def _sum(stores: Stores, *by: Dimension, **where: frozenset[str]) -> dict[Any, Sums]:
    query = Query(_START, _END, by, {Dimension(name): values for name, values in where.items()})
    return {row.group: row.sums for row in merge(await stores.usage.sum(query, 1000))}


async def test_written_is_there(stores: Stores):
    """A record is read as it was written, times without a value included."""
    written = [record(), record(queue=None, first_token=None, total=None, counted=False, status=0)]
    await stores.records.write(written)

    assert written == await _all(stores)


async def test_request_counts_once(stores: Stores):
    """A record that comes again, with others or alone, or with other figures, changes nothing."""
    first, second = record(), record()
    await stores.records.write([first, first])
    await stores.records.write([first, second])
    await stores.records.write([record(request=first.request, prompt=9999)])

    assert [first, second] == await _all(stores)
    assert {(): Sums(2, 0, 200, 128, 100, 2 * first.cost)} == await _sum(stores)


async def test_roll_ups_by_hour_and_day(stores: Stores):
    """A record counts in the hour and the day in which it was admitted, whenever it is written."""
    times = [NOON + HOUR, NOON, _MIDNIGHT - 0.5, float(_MIDNIGHT), NOON + HOUR - 0.000001]
    for time in times:
        await stores.records.write([record(time=time)])
    hours = await _sum(stores, Dimension.HOUR)
    days = await _sum(stores, Dimension.DAY)

    expected = {NOON + HOUR: 1, NOON: 2, _MIDNIGHT - HOUR: 1, _MIDNIGHT: 1}
    assert expected == {hour: sums.requests for (hour,), sums in hours.items()}
    assert {_MIDNIGHT - DAY: 1, _MIDNIGHT: 4} == {
        day: sums.requests for (day,), sums in days.items()
    }


async def test_roll_ups_equal_records(stores: Stores):
    """Late, early, repeated, in any order: what roll-ups sum is what the records sum."""
    chance = random.Random(1)
    known = [
        record(
            time=NOON + chance.uniform(-5, 5) * DAY,
            model=chance.choice("ab"),
            prompt=chance.randrange(2**31),
            cost=chance.randrange(2**50),
        )
        for _ in range(300)
    ]
    for _ in range(30):
        await stores.records.write(chance.choices(known, k=20))
    kept = await _all(stores)

    for grain in (Dimension.HOUR, Dimension.DAY):
        expected: dict[Any, Sums] = {}
        for group, sums in roll_up(kept, HOUR if grain == Dimension.HOUR else DAY).items():
            expected.setdefault((group.start, group.model), Sums()).add(sums)
        assert expected == await _sum(stores, grain, Dimension.MODEL)


async def test_failures_are_counted(stores: Stores):
    """Error statuses and requests without a reply are failures; the rest are not."""
    await stores.records.write([record(status=status) for status in (200, 0, 400, 503, 399)])

    assert 3 == (await _sum(stores))[()].failures


@pytest.mark.parametrize(
    "by", [each for each in Dimension if each not in (Dimension.HOUR, Dimension.DAY)]
)
async def test_groups_and_filters(stores: Stores, by: Dimension):
    """Everything a record names can be grouped by, and filtered by."""
    names = {
        each.value: "same" for each in Dimension if each not in (Dimension.HOUR, Dimension.DAY)
    }
    for value in ("a", "b", "b", "c"):
        await stores.records.write([record(**names | {by.value: value})])
    grouped = await _sum(stores, by)
    filtered = await _sum(stores, by, **{by.value: frozenset({"b", "c", "none"})})

    assert {("a",): 1, ("b",): 2, ("c",): 1} == {k: v.requests for k, v in grouped.items()}
    assert {("b",): 2, ("c",): 1} == {k: v.requests for k, v in filtered.items()}
    assert 2 == len(await _all(stores, **{by.value: frozenset({"b"})}))


async def test_period_is_exact(stores: Stores):
    """A period holds its first hour and not the one after its last, across days."""
    await stores.records.write([record(time=NOON + hours * HOUR) for hours in range(-60, 60)])
    start = int(NOON) - 31 * HOUR
    rows = await stores.usage.sum(Query(start, start + 55 * HOUR), 10)

    assert 55 == sum(row.sums.requests for row in rows)
    assert len(rows) > 1  # whole days, and hours at the ends


async def test_currencies_stay_apart(stores: Stores):
    """Costs of two currencies are two rows."""
    await stores.records.write([record(currency="EUR", cost=5), record(currency="USD", cost=7)])
    rows = merge(await stores.usage.sum(Query(_START, _END), 10))

    assert [("EUR", 5), ("USD", 7)] == [(row.currency, row.sums.cost) for row in rows]


async def test_pages_follow_each_other(stores: Stores):
    """Pages have every record once, in order of time, also those of the same moment."""
    times = [NOON, NOON, NOON, NOON - 1, NOON + 1, NOON + 1]
    await stores.records.write([record(time=time) for time in times])
    found: list[float] = []
    after = (0.0, 0)
    while page := await stores.usage.page(after, NOON + 1, {}, 2):
        found.extend(each.time for _, each in page)
        after = page[-1][0]

    assert [NOON - 1, NOON, NOON, NOON] == found


async def test_expiry_keeps_roll_ups(stores: Stores):
    """Old records go, oldest first and no more than asked for; what they add up to stays."""
    await stores.records.write([record(time=NOON + number) for number in (3, 1, 2, 0)])
    before = await _sum(stores, Dimension.HOUR)

    assert 2 == await stores.records.expire(NOON + 3, 2)
    assert [NOON + 2, NOON + 3] == [each.time for each in await _all(stores)]
    assert 1 == await stores.records.expire(NOON + 3, 2)
    assert 0 == await stores.records.expire(NOON + 3, 2)
    assert before == await _sum(stores, Dimension.HOUR)


async def test_spending(stores: Stores):
    """What a project, an endpoint or a key has spent since a day began."""
    await stores.records.write(
        [
            record(cost=1),
            record(cost=2, endpoint="other"),
            record(cost=4, key="k2", currency="USD"),
            record(cost=8, time=NOON - DAY),
            record(cost=16, project="another"),
        ]
    )

    async def spent(scope: Scope, subject: str) -> Any:
        return await stores.usage.spend("default", scope, subject, _MIDNIGHT)

    assert {TOKENS: 450, "EUR": 3, "USD": 4} == await spent(Scope.PROJECT, "default")
    assert {TOKENS: 300, "EUR": 1, "USD": 4} == await spent(Scope.ENDPOINT, "pilot")
    assert {TOKENS: 150, "USD": 4} == await spent(Scope.KEY, "k2")
    assert {TOKENS: 0} == await spent(Scope.KEY, "unknown")
    at_once = await stores.usage.spends(_MIDNIGHT)
    for (project, scope, subject), found in at_once.items():
        assert found == await stores.usage.spend(project, scope, subject, _MIDNIGHT)
    assert {
        ("default", Scope.PROJECT, "default"),
        ("default", Scope.ENDPOINT, "pilot"),
        ("default", Scope.ENDPOINT, "other"),
        ("default", Scope.KEY, "primary"),
        ("default", Scope.KEY, "k2"),
        ("another", Scope.PROJECT, "another"),
        ("another", Scope.ENDPOINT, "pilot"),
        ("another", Scope.KEY, "primary"),
    } == {*at_once}


async def test_opens_again_after_close(stores: Stores):
    """Closing lets go of connections; the next write makes new ones."""
    await stores.records.write([record()])
    await stores.records.close()
    await stores.records.write([record()])

    assert 2 == len(await _all(stores))


async def test_read_while_written(stores: Stores):
    """Readers see whole batches, never a roll-up without its records."""

    async def write() -> None:
        for _ in range(20):
            await stores.records.write([record() for _ in range(5)])

    writing = asyncio.ensure_future(write())
    while not writing.done():
        sums = (await _sum(stores)).get((), Sums())
        assert sums.requests % 5 == 0
        await asyncio.sleep(0)
    await writing

    assert 100 == (await _sum(stores))[()].requests


@pytest.mark.parametrize("where", [{}, {Dimension.PROJECT: frozenset({"a"})}], ids=["all", "some"])
async def test_reports_by_hour_see_late_records(
    stores: Stores, where: dict[Dimension, frozenset[str]]
):
    """However often it was asked for before, a report is of what the ledger has now."""
    query = Query(_MIDNIGHT - 3 * DAY + HOUR, _MIDNIGHT + 2 * HOUR, (Dimension.HOUR,), where)
    asked: list[UsageRecord] = []
    generator = random.Random(5)
    for _ in range(8):
        more = [
            record(
                time=float(generator.randrange(query.start, query.end)),
                project=generator.choice("ab"),
            )
            for _ in range(generator.randrange(4))
        ]
        await stores.records.write([*more, *asked[:1]])
        asked += more
        wanted = [each for each in asked if each.project in where.get(Dimension.PROJECT, "ab")]
        expected = {(group.start,): sums for group, sums in _hours(wanted).items()}
        for _ in range(2):
            rows = merge(await stores.usage.sum(query, 1000))

            assert expected == {row.group: row.sums for row in rows}


def _hours(records: list[UsageRecord]) -> dict[Any, Sums]:
    """By the hour alone."""
    return roll_up([structs.replace(each, project="", currency="") for each in records], HOUR)


@pytest.mark.parametrize("by", [Dimension.DAY, Dimension.HOUR])
async def test_too_many_rows_show(stores: Stores, by: Dimension):
    """Whoever asks for at most so many rows can tell that there are more."""
    await stores.records.write([record(time=NOON - DAY * number) for number in range(19)])

    assert len(await stores.usage.sum(Query(_START, _END, (by,)), 10)) >= 10
    assert 19 == len(await stores.usage.sum(Query(_START, _END, (by,)), 20))
