"""Every `SessionStore` keeps these promises."""

from dataclasses import replace

import pytest

from cupola.db.database import Database
from cupola.identity.memory import MemorySessions
from cupola.identity.model import Session
from cupola.identity.ports import SessionStore
from cupola.identity.store import SqlSessions, SqlUsers
from cupola.ids import UserId
from tests.contract.test_user_store import ADA, BOB

FIRST = Session("ses_1", b"1" * 32, ADA.id, "laptop", 1000, 2000, frozenset({"read", "call"}))
SECOND = replace(FIRST, id="ses_2", digest=b"2" * 32, created=1001, scopes=None)


@pytest.fixture
async def store(backing: Database | None) -> SessionStore:
    if backing is None:
        return MemorySessions()
    for user in (ADA, BOB):
        await SqlUsers(backing).add(user)
    return SqlSessions(backing)


async def test_added_is_found_by_digest(store: SessionStore):
    """With every field as it was, scopes or none."""
    await store.add(FIRST)
    await store.add(SECOND)

    assert FIRST == await store.find(FIRST.digest, 1500)
    assert SECOND == await store.find(SECOND.digest, 1500)
    assert await store.find(b"3" * 32, 1500) is None


async def test_expired_is_not_there(store: SessionStore):
    """From the second on in which it expires."""
    await store.add(FIRST)

    assert FIRST == await store.find(FIRST.digest, 1999)
    assert await store.find(FIRST.digest, 2000) is None
    assert [] == await store.list(ADA.id, 2000)


async def test_ended_is_not_there(store: SessionStore):
    """By its own user alone; what is not there is no error."""
    await store.add(FIRST)
    await store.end(FIRST.id, BOB.id)
    assert FIRST == await store.find(FIRST.digest, 1500)
    await store.end(FIRST.id, ADA.id)
    await store.end(FIRST.id, ADA.id)

    assert await store.find(FIRST.digest, 1500) is None


async def test_list_is_newest_first(store: SessionStore):
    """One user's, not another's."""
    await store.add(FIRST)
    await store.add(SECOND)
    await store.add(replace(FIRST, id="ses_3", digest=b"3" * 32, user=BOB.id))

    assert [SECOND, FIRST] == await store.list(ADA.id, 1500)
    assert [] == await store.list(UserId("usr_x"), 1500)


async def test_sweep_forgets_what_expired(store: SessionStore):
    """And nothing else: a clock that is set back brings nothing to life again."""
    later = replace(SECOND, expires=3000)
    await store.add(FIRST)
    await store.add(later)
    await store.sweep(2000)

    assert [later] == await store.list(ADA.id, 1500)
