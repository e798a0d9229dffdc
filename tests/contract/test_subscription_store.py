"""Every `SubscriptionStore` keeps these promises."""

from dataclasses import replace
from decimal import Decimal

import pytest

from cupola.db.database import Database
from cupola.ids import ModelName, ProjectName
from cupola.projects.model import Project
from cupola.projects.store import SqlProjects
from cupola.subscriptions.memory import MemorySubscriptions
from cupola.subscriptions.model import Subscription
from cupola.subscriptions.ports import SubscriptionStore
from cupola.subscriptions.store import SqlSubscriptions

ALPHA, BETA = ProjectName("alpha"), ProjectName("beta")
ACCEPTED = Subscription(
    project=ALPHA,
    model=ModelName("Mistral-Nemo"),
    accepted=1000,
    accepted_by="ada",
    license="Apache-2.0",
    terms="https://example.org/terms",
    price_input=Decimal("0.00030"),
    price_output=Decimal("0"),
)


@pytest.fixture
async def store(backing: Database | None) -> SubscriptionStore:
    if backing is None:
        return MemorySubscriptions()
    for name in (ALPHA, BETA):
        await SqlProjects(backing).add(Project(name, created=0))
    return SqlSubscriptions(backing)


async def test_added_is_found(store: SubscriptionStore):
    """With its prices to the last digit; in its project alone."""
    await store.add(ACCEPTED)

    assert ACCEPTED == await store.find(ALPHA, ACCEPTED.model)
    assert await store.find(BETA, ACCEPTED.model) is None
    assert await store.find(ALPHA, ModelName("Other")) is None


async def test_the_first_acceptance_counts(store: SubscriptionStore):
    """Accepting again changes nothing of what was accepted."""
    await store.add(ACCEPTED)
    await store.add(replace(ACCEPTED, accepted=2000, price_input=Decimal(1)))

    assert [ACCEPTED] == await store.list(ALPHA)


async def test_list_is_sorted_by_model(store: SubscriptionStore):
    """Of one project."""
    for name in ("c", "a", "b"):
        await store.add(replace(ACCEPTED, model=ModelName(name)))
    await store.add(replace(ACCEPTED, project=BETA))

    assert ["a", "b", "c"] == [each.model for each in await store.list(ALPHA)]


async def test_deleted_is_gone(store: SubscriptionStore):
    """And says whether there was anything to delete."""
    await store.add(ACCEPTED)

    assert not await store.delete(BETA, ACCEPTED.model)
    assert await store.delete(ALPHA, ACCEPTED.model)
    assert not await store.delete(ALPHA, ACCEPTED.model)
    assert [] == await store.list(ALPHA)
