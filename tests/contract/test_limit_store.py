"""Every `LimitStore` keeps these promises."""

import pytest

from cupola.db.database import Database
from cupola.quotas.memory import MemoryLimits
from cupola.quotas.model import MOST, Bound, Limits, Scope
from cupola.quotas.ports import LimitStore
from cupola.quotas.store import SqlLimits

KEY = Scope("key", "key_1")
LIMITS = Limits(1, 2, None, 4, 0, MOST)


@pytest.fixture
def store(backing: Database | None) -> LimitStore:
    return SqlLimits(backing) if backing else MemoryLimits()


async def test_put_is_found(store: LimitStore):
    """What was set is found as it was, the greatest numbers too, and nothing else is."""
    await store.put(Bound(KEY, LIMITS))

    assert LIMITS == await store.find(KEY)
    assert await store.find(Scope("project", "key_1")) is None


async def test_put_replaces(store: LimitStore):
    """Setting again leaves nothing of what was set before."""
    await store.put(Bound(KEY, LIMITS))
    await store.put(Bound(KEY, Limits(tokens_per_day=5)))

    assert [Bound(KEY, Limits(tokens_per_day=5))] == list(await store.list())


async def test_deleted_is_gone(store: LimitStore):
    """Deleting says whether there was anything."""
    await store.put(Bound(KEY, LIMITS))

    assert await store.delete(KEY)
    assert not await store.delete(KEY)
    assert await store.find(KEY) is None


async def test_list_is_sorted(store: LimitStore):
    """By kind of scope, then by its id."""
    scopes = [Scope("project", "a"), Scope("key", "b"), Scope("key", "a")]
    for scope in scopes:
        await store.put(Bound(scope, LIMITS))

    assert sorted(scopes) == [bound.scope for bound in await store.list()]
