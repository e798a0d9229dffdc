"""Every `InstanceTypeStore` keeps these promises."""

from dataclasses import replace

import pytest

from cupola.db.database import Database
from cupola.deployments.memory import MemoryInstanceTypes
from cupola.deployments.model import InstanceType
from cupola.deployments.ports import InstanceTypeStore
from cupola.deployments.store import SqlInstanceTypes

SMALL = InstanceType("small", cores=1, memory=2**40, gpus=0)


@pytest.fixture
def store(backing: Database | None) -> InstanceTypeStore:
    return MemoryInstanceTypes() if backing is None else SqlInstanceTypes(backing)


async def test_put_adds_or_replaces(store: InstanceTypeStore):
    """One of each name, sorted."""
    await store.put(SMALL)
    await store.put(InstanceType("large", cores=8, memory=2**35, gpus=2))
    larger = replace(SMALL, cores=2)
    await store.put(larger)

    assert ["large", "small"] == [each.name for each in await store.list()]
    assert larger == await store.find("small")
    assert await store.find("other") is None


async def test_deleted_is_gone(store: InstanceTypeStore):
    """And says whether there was anything to delete."""
    await store.put(SMALL)

    assert await store.delete("small")
    assert not await store.delete("small")
    assert [] == await store.list()
