"""Which replicas a request may get, while two specs answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest

from cupola.deployments.loop import Keeper, Surroundings
from cupola.deployments.model import Spec
from cupola.deployments.pool import DeploymentPool
from cupola.deployments.ports import Order
from cupola.deployments.situation import Cohort
from cupola.engines.echo import EchoReplica
from cupola.engines.port import Profile, Replica
from cupola.ids import ModelName, ReplicaId
from cupola.kit.clock import SystemClock
from tests.patience import until


@dataclass
class Stranger(EchoReplica):
    """Of a model whose prompts are laid out otherwise."""

    @property
    def profile(self) -> Profile:
        return replace(super().profile, chat_template="{{ messages }}", bos_token="<|begin|>")


def keep(replica: Replica) -> Keeper:
    order = Order(ReplicaId("rep_1"), "chat", Cohort(Spec(ModelName("M"))), None)
    around = Surroundings(lambda _: replica, lambda _: nullcontext(), lambda: None, SystemClock())
    keeper = Keeper(order, around)
    keeper.start()
    return keeper


class Stage:
    """Keepers that end with the test."""

    def __init__(self) -> None:
        self.keepers: list[Keeper] = []

    async def ready(self, *replicas: Replica) -> list[Keeper]:
        made = [keep(replica) for replica in replicas]
        self.keepers += made
        await until(lambda: all(each.is_ready for each in made))
        return made


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await asyncio.gather(*[each.stop() for each in stage.keepers])


@pytest.fixture
def pool() -> DeploymentPool:
    return DeploymentPool(lambda: None)


async def test_both_answer_if_their_prompts_are_alike(stage: Stage, pool: DeploymentPool):
    """Capacity is kept during a roll-out; the shorter of two contexts holds meanwhile."""
    new, old = EchoReplica(8192), EchoReplica(2048)
    pool.fill(await stage.ready(new), await stage.ready(old), 2, new.profile, old.profile)

    assert [new, old] == list(pool.ready())
    assert 2048 == (pool.profile or pytest.fail("none")).context_length
    old.fail()
    assert [new] == list(pool.ready())
    pool.fill(stage.keepers[:1], (), 2, new.profile)
    assert 8192 == (pool.profile or pytest.fail("none")).context_length


async def test_models_are_never_mixed(stage: Stage, pool: DeploymentPool):
    """A prompt that was laid out for one does not reach the other; they change places at once."""
    news, olds = [Stranger() for _ in range(3)], [EchoReplica() for _ in range(3)]
    kept_old = await stage.ready(*olds)
    profile, before = news[0].profile, olds[0].profile
    pool.fill(await stage.ready(news[0]), kept_old, 3, profile, before)

    assert olds == list(pool.ready())
    assert before == pool.profile
    pool.fill([*stage.keepers[3:], *await stage.ready(news[1])], kept_old, 3, profile, before)
    assert news[:2] == list(pool.ready())
    assert profile == pool.profile


async def test_a_dead_replica_does_not_hand_over(stage: Stage, pool: DeploymentPool):
    """Who waits while the old model's engine is started again is answered by that model."""
    old = EchoReplica()
    kept = await stage.ready(old)
    old.fail()
    pool.fill([], kept, 1, Stranger().profile, old.profile)

    assert old.profile == pool.profile
    assert [] == list(pool.ready())


async def test_waiting_asks_for_a_replica(stage: Stage):
    """So that one that sleeps is woken; who waits is counted while it does."""
    asked: list[bool] = []
    sleeping = DeploymentPool(lambda: asked.append(True))
    waiting = asyncio.ensure_future(sleeping.wait_ready(5))
    await until(lambda: asked == [True])
    assert 1 == sleeping.waiting
    sleeping.fill(await stage.ready(EchoReplica()), (), 1, None)

    assert await waiting
    assert 0 == sleeping.waiting
