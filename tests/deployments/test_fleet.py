"""The fleet at work, over echoes: what it starts, stops, stores and says."""

import asyncio
from dataclasses import replace

import pytest

from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import (
    DeploymentState,
    InstanceType,
    Spec,
    WeightsAbsent,
    WeightsDownloading,
)
from cupola.ids import EndpointName
from cupola.kit.clock import FakeClock
from tests.deployments.worlds import (
    GIB,
    HERE,
    MODEL,
    PILOT,
    QUICK,
    Town,
    managed,
    pool_of,
    serverless,
    status_of,
    until_state,
)
from tests.patience import until
from tests.timelapse import LoopClock

LONGER = Spec(MODEL, context_length=8192)


@pytest.fixture
def town(leaping: LoopClock) -> Town:
    """All of its pauses are over at once."""
    return Town(leaping)


async def test_what_is_wanted_runs_and_is_known_to_be_healthy(town: Town):
    """Once ready, the spec is stored as the one to return to, and nothing is stored again."""
    await town.store.add(serverless())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        await until(lambda: town.changes > 0)
        await asyncio.sleep(0.1)
        endpoint = await town.get()

        assert Spec(MODEL) == endpoint.deployments[0].stable
        assert 2 == endpoint.version
        assert 1 == len(town.compute.made)
        assert 1 == len(pool_of(fleet, endpoint).ready())
    assert [] == town.compute.running()


async def test_waiters_wake_when_it_is_ready(town: Town):
    """Who waits for a replica is woken as soon as there is one; in vain, in time."""
    town.compute.held = True
    await town.store.add(serverless())
    async with town.running() as fleet:
        pool = pool_of(fleet, serverless())
        assert not await pool.wait_ready(0.05)
        assert "The model is starting." == pool.reason()
        waiting = asyncio.ensure_future(pool.wait_ready(5))
        await until(lambda: len(town.compute.made) == 1)
        town.compute.made[0][1].may_start.set()

        assert await waiting
    assert "The endpoint is stopped." == pool.reason()


async def test_same_spec_shares_replicas(town: Town):
    """Two serverless endpoints of one model have the same replica, and each its own pool."""
    other = replace(serverless(), name=EndpointName("other"))
    for each in (serverless(), other):
        await town.store.add(each)
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)

        assert 1 == len(town.compute.made)
        assert pool_of(fleet, serverless()).ready() == pool_of(fleet, other).ready()
        assert pool_of(fleet, other) is pool_of(fleet, other)


async def test_change_of_spec_is_rolled_out_without_a_gap(town: Town):
    """At every moment somebody answers; in the end only the new ones do."""
    await town.store.add(managed(2))
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        pool = pool_of(fleet, managed())
        await town.change_spec(fleet, LONGER)
        least = 2
        while [8192, 8192] != [each.profile.context_length for each in pool.ready()]:
            least = min(least, len(pool.ready()))
            await asyncio.sleep(0.002)
        await until(lambda: len(town.compute.running()) == 2)
        await until_state(fleet, DeploymentState.READY)

        assert 2 == least
        assert LONGER == (await town.get()).deployments[0].stable
        assert 8192 == (pool.profile or pytest.fail("no profile")).context_length


async def test_failing_change_returns_by_itself(town: Town):
    """Three failed starts: the old spec is wanted again, its replica never stopped, and it is said
    why."""
    await town.store.add(managed())
    town.compute.failing = {LONGER: 99}
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        [first] = town.compute.running()
        await town.change_spec(fleet, LONGER)
        await until_state(fleet, DeploymentState.UPDATING)
        await until_state(fleet, DeploymentState.READY)
        await until(lambda: town.compute.running() == [first])
        [deployment] = (await town.get()).deployments

        assert Spec(MODEL) == deployment.spec == deployment.stable
        assert 3 == deployment.revision
        assert "3 times in a row. The engine ended with exit code 1." in deployment.outcome
        assert 1 == first.starts


async def test_a_newer_wish_goes_before_a_return(town: Town):
    """What somebody wants meanwhile is not overwritten by what was decided about the old wish."""
    await town.store.add(managed())
    town.compute.failing = {LONGER: 99}
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        await town.change_spec(fleet, LONGER)
        await asyncio.sleep(0.05)
        await town.change_spec(fleet, Spec(MODEL, slots=2))
        await until(lambda: status_of(fleet).revision == 3)
        await until_state(fleet, DeploymentState.READY)

        assert Spec(MODEL, slots=2) == (await town.get()).deployments[0].stable


async def test_from_zero_and_back(town: Town):
    """Nobody asks: it sleeps. A request wakes it, and is held meanwhile."""
    await town.store.add(serverless(floor=0, ceiling=2))
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.SCALED_TO_ZERO)
        await until(lambda: town.compute.running() == [])
        pool = pool_of(fleet, serverless())

        assert await pool.wait_ready(3)
        assert 1 == len(pool.ready())
        await until_state(fleet, DeploymentState.SCALED_TO_ZERO)


async def test_load_brings_more(town: Town):
    """Beyond what one replica holds there are more, up to the ceiling."""
    await town.store.add(serverless(floor=1, ceiling=2))
    async with town.running(replace(QUICK, idle=60.0)) as fleet:
        await until_state(fleet, DeploymentState.READY)
        town.compute.running()[0].busy = 40
        await until(lambda: len(town.compute.running()) == 2)

        assert 2 == len(pool_of(fleet, serverless()).ready())


async def test_deleted_endpoint_leaves_nothing(town: Town):
    """Its replicas end, and it is not described any more."""
    await town.store.add(serverless())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        await town.store.delete(PILOT)
        fleet.wake()
        await until(lambda: town.compute.running() == [])

        await until(lambda: [] == list(fleet.describe(PILOT)))


async def test_deleted_deployment_ends_what_it_began(town: Town):
    """A reply under way is finished first; meanwhile it is said to be stopping."""
    await town.store.add(managed())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        [replica] = town.compute.running()
        replica.busy = 1
        await town.store.delete(PILOT)
        fleet.wake()
        await until_state(fleet, DeploymentState.STOPPING)
        await asyncio.sleep(0.2)
        assert [replica] == town.compute.running()
        replica.busy = 0
        await until(lambda: [] == list(fleet.describe(PILOT)))

    assert "stopped" == replica.state


async def test_weights_are_fetched_and_then_it_starts(town: Town):
    """One request for them; progress is told; a refusal is told with its mend."""
    town.weights.told[MODEL] = WeightsAbsent()
    await town.store.add(serverless())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.FAILED)
        assert "The hub says no. Ask it nicely." == status_of(fleet).reason
        assert [MODEL] == town.weights.asked
        assert pool_of(fleet, serverless()).profile is None

        town.weights.told[MODEL] = WeightsDownloading(0.5)
        await until_state(fleet, DeploymentState.DOWNLOADING)
        town.weights.told[MODEL] = HERE
        await until_state(fleet, DeploymentState.READY)
        assert pool_of(fleet, serverless()).profile is not None


async def test_instances_are_billed_from_start_to_stop(town: Town):
    """An interval for each run of each instance, with its cores; shared replicas have none."""
    await town.store.add(managed(2))
    await town.store.add(replace(serverless(spec=LONGER), name=EndpointName("other")))
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        running = await town.intervals.list()
        assert [None, None] == [each.ended for each in running]
        assert [("blue", 2)] * 2 == [(each.deployment, each.cores) for each in running]
        next(r for o, r in town.compute.made if o.cohort.owner).fail()
        await until(lambda: status_of(fleet).ready == 2 and len(town.intervals._intervals) == 3)

    assert all(each.ended is not None for each in await town.intervals.list())


async def test_lost_intervals_end_where_they_were_seen(town: Town):
    """A killed server's bill is closed by the next one."""
    await town.store.add(managed())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        [lost] = await town.intervals.list()
    town.intervals._intervals[lost.id] = replace(lost, ended=None, seen=lost.started + 5)
    async with town.running():
        pass

    assert lost.started + 5 == (await town.intervals.list())[0].ended


async def test_memory_that_replicas_took_is_kept(town: Town):
    """After a few seconds the real figure takes the place of the reckoned one."""
    await town.store.add(serverless())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        await until(lambda: bool(town.memory_use._most))

    assert {(MODEL, "Q8_0", 4, 4096): 2 * 1024**3} == town.memory_use._most


async def test_shared_quota_ends_with_warnings(town: Town, caplog: pytest.LogCaptureFixture):
    """A day before, an hour before, and then it is gone."""
    clock = FakeClock()
    town.clock = clock
    endpoint = replace(serverless(), expires=int(clock.now()) + 200_000)
    await town.store.add(endpoint)
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        assert "" == status_of(fleet).reason
        clock.advance(200_000 - 80_000)
        await until(lambda: "in less than a day" in status_of(fleet).reason)
        clock.advance(78_000)
        await until(lambda: "in less than an hour" in status_of(fleet).reason)
        clock.advance(2_000)
        await until(lambda: [PILOT] == town.expired)
        await until(lambda: fleet.describe(PILOT) == [])

    assert 2 == sum("shared quota" in record.message for record in caplog.records)


async def test_instances_are_described(town: Town):
    """Who runs the platform sees each, and where its log is."""
    await town.store.add(managed(2))
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        first, second = status_of(fleet).instances

        assert {DeploymentState.READY} == {first.state, second.state}
        assert first.id != second.id
        assert ["pilot-blue-1", "pilot-blue-2"] == list(fleet.list_logs(PILOT))


async def test_upstreams_are_asked_nothing(town: Town):
    """No probe, no memory, nothing stored: they cost money, and a file defines them."""
    far = make_endpoint(PILOT, replace(serverless()).kind.UPSTREAM, MODEL, 1000)
    await town.store.add(far)
    town.compute.free = 0
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        await asyncio.sleep(0.05)

        assert 1 == (await town.get()).version
        assert town.compute.made[0][0].weights is None


async def test_another_instance_type_is_rolled_out(town: Town):
    """New replicas with its cores take over; the bill says which type each was."""
    await town.types.put(InstanceType("large", 4, 16 * GIB))
    await town.store.add(managed())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        endpoint = await town.get()
        [old] = endpoint.deployments
        new = replace(old, scale=replace(old.scale, instance_type="large"))
        await town.put(fleet, replace(endpoint, deployments=(new,)))
        await until(lambda: [4] == [o.cores for o, r in town.compute.made if r.state == "ready"])

    kinds = {(each.instance_type, each.cores) for each in await town.intervals.list()}
    assert {("small", 2), ("large", 4)} == kinds


async def test_missing_instance_type_is_said(town: Town):
    """And what there is instead."""
    await town.store.add(managed())
    await town.types.delete("small")
    await town.types.put(InstanceType("large", 4, 16 * GIB))
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.FAILED)

        assert "no instance type 'small' any more" in status_of(fleet).reason
        assert "There are: large." in status_of(fleet).reason
        await town.types.put(InstanceType("small", 1, 16 * GIB))
        fleet.wake()
        await until_state(fleet, DeploymentState.READY)


async def test_without_the_database_what_runs_goes_on(town: Town):
    """A dead replica is started again, even while nothing can be read."""
    await town.store.add(serverless())
    async with town.running() as fleet:
        await until_state(fleet, DeploymentState.READY)
        town.database_away = True
        fleet.wake()
        town.compute.running()[0].fail()
        await until(lambda: town.compute.made[0][1].starts == 2)

        assert await pool_of(fleet, serverless()).wait_ready(3)
