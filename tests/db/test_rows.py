from contextlib import suppress
from dataclasses import replace

import pytest

from cupola.db.database import Database
from cupola.deployments.store import SqlEndpoints
from cupola.ids import EndpointName
from tests.contract.test_endpoint_store import PILOT

NAMES = ("a", "b", "c")


@pytest.fixture
async def store(database: Database) -> SqlEndpoints:
    made = SqlEndpoints(database)
    for name in NAMES:
        await made.add(replace(PILOT, name=EndpointName(name)))
    return made


async def test_what_is_the_same_to_the_letter_is_the_same_object(store: SqlEndpoints):
    """So that comparing a thousand endpoints with what they were costs nothing."""
    before = await store.list()
    changed = replace(before[1], tags={"team": "red"}, version=2)
    await store.save(changed)
    after = await store.list()

    assert [True, False, True] == [a is b for a, b in zip(before, after, strict=True)]
    assert changed == after[1]
    [page] = await store.list(after="b", limit=1)
    assert page is before[2]


async def test_what_was_rolled_back_was_never_there(database: Database, store: SqlEndpoints):
    """Whoever read it within its transaction has remembered nothing that is not so."""
    before = await store.list()
    with suppress(RuntimeError):
        async with database.transaction():
            await store.save(replace(before[0], description="never", version=2))
            assert "never" == (await store.list())[0].description
            raise RuntimeError
    await store.save(replace(before[0], description="now", version=2))

    assert ["now", "", ""] == [each.description for each in await store.list()]


async def test_another_process_changes_are_seen(database: Database, store: SqlEndpoints):
    """A name that returns with another life is not what it was."""
    await store.list()
    other = SqlEndpoints(database)
    await other.delete(EndpointName("a"))
    returned = replace(PILOT, name=EndpointName("a"), traffic={}, description="again")
    await other.add(returned)

    assert returned == (await store.list())[0]
