"""Every store of what instances used keeps these promises."""

from dataclasses import replace

import pytest

from cupola.db.database import Database
from cupola.deployments.memory import MemoryIntervals, MemoryMemoryUse
from cupola.deployments.model import DEFAULT_PROJECT, Interval
from cupola.deployments.ports import IntervalStore, MemoryUseStore
from cupola.deployments.store import SqlIntervals, SqlMemoryUse
from cupola.ids import DeploymentName, EndpointName, ModelName, ProjectName

MODEL = ModelName("Cupola-Pilot")
FIRST = Interval(
    id="int_1",
    endpoint=EndpointName("pilot"),
    deployment=DeploymentName("blue"),
    project=DEFAULT_PROJECT,
    model=MODEL,
    instance_type="small",
    cores=2,
    started=1000,
    seen=1000,
)
SECOND = replace(FIRST, id="int_2", started=900, seen=900, project=ProjectName("other"))


@pytest.fixture
def intervals(backing: Database | None) -> IntervalStore:
    return SqlIntervals(backing) if backing else MemoryIntervals()


@pytest.fixture
def memory_use(backing: Database | None) -> MemoryUseStore:
    return SqlMemoryUse(backing) if backing else MemoryMemoryUse()


async def test_intervals_are_listed_by_start(intervals: IntervalStore):
    """All, or those of one project, with every field as it was."""
    for each in (FIRST, SECOND):
        await intervals.open(each)

    assert [SECOND, FIRST] == list(await intervals.list())
    assert [FIRST] == list(await intervals.list(DEFAULT_PROJECT))


async def test_touched_was_seen(intervals: IntervalStore):
    """Only those that are named, and only while they are open."""
    for each in (FIRST, SECOND):
        await intervals.open(each)
    await intervals.touch([FIRST.id], 1010)
    await intervals.close(FIRST.id, 1020)
    await intervals.touch([FIRST.id], 1030)
    second, first = await intervals.list()

    assert (900, None) == (second.seen, second.ended)
    assert (1020, 1020) == (first.seen, first.ended)


async def test_an_end_is_an_end(intervals: IntervalStore):
    """A second close changes nothing, nor does one of something unknown."""
    await intervals.open(FIRST)
    await intervals.close(FIRST.id, 1020)
    await intervals.close(FIRST.id, 1050)
    await intervals.close("int_unknown", 1050)

    assert [1020] == [each.ended for each in await intervals.list()]


async def test_lost_ones_end_where_they_were_last_seen(intervals: IntervalStore):
    """And those that have ended stay as they are."""
    for each in (FIRST, SECOND):
        await intervals.open(each)
    await intervals.touch([FIRST.id], 1015)
    await intervals.close(SECOND.id, 950)
    await intervals.close_lost()

    assert [950, 1015] == [each.ended for each in await intervals.list()]


async def test_the_largest_use_is_kept(memory_use: MemoryUseStore):
    """Of each combination of its own."""
    for memory in (3, 7, 5):
        await memory_use.record(MODEL, "Q8_0", 4, 2048, memory)
    await memory_use.record(MODEL, "Q8_0", 4, 4096, 1 << 40)

    assert 7 == await memory_use.find(MODEL, "Q8_0", 4, 2048)
    assert 1 << 40 == await memory_use.find(MODEL, "Q8_0", 4, 4096)
    assert await memory_use.find(MODEL, "Q4_K_M", 4, 2048) is None
