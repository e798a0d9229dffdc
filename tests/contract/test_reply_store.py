"""Every `ReplyStore` keeps these promises."""

from dataclasses import replace

import pytest

from cupola.control.memory import MemoryReplies
from cupola.control.model import Reply
from cupola.control.ports import ReplyStore
from cupola.control.store import SqlReplies
from cupola.db.database import Database
from cupola.kit.errors import Conflict

REPLY = Reply("usr_ada one", b"\0\xff", 201, '{"body": "\u00e9"}', created=1000)


@pytest.fixture
def store(backing: Database | None) -> ReplyStore:
    return MemoryReplies() if backing is None else SqlReplies(backing)


async def test_added_is_found(store: ReplyStore):
    """As it was, and once."""
    await store.add(REPLY)
    with pytest.raises(Conflict):
        await store.add(replace(REPLY, status=200))

    assert REPLY == await store.find(REPLY.key)
    assert await store.find("usr_ben one") is None


async def test_old_replies_are_swept(store: ReplyStore):
    """Those created before a moment; not those of that moment."""
    await store.add(REPLY)
    await store.add(replace(REPLY, key="later", created=1001))
    await store.sweep(1001)

    assert await store.find(REPLY.key) is None
    assert await store.find("later") is not None
