"""Every `UserStore` keeps these promises."""

from dataclasses import replace

import pytest

from cupola.db.database import Database
from cupola.identity.memory import MemoryUsers
from cupola.identity.model import Origin, User
from cupola.identity.ports import UserStore
from cupola.identity.store import SqlUsers
from cupola.ids import UserId
from cupola.kit.errors import Conflict, Stale

ADA = User(UserId("usr_a"), "ada", Origin.LOCAL, 1000, administrator=True, password_hash="hash")
BOB = User(UserId("usr_b"), "bob", Origin.OIDC, 1001, issuer="https://issuer", subject="7")


@pytest.fixture
def store(backing: Database | None) -> UserStore:
    return SqlUsers(backing) if backing else MemoryUsers()


@pytest.mark.parametrize("user", [ADA, BOB], ids=["local", "oidc"])
async def test_added_is_found(store: UserStore, user: User):
    """By id and by name, with every field as it was."""
    await store.add(user)

    assert user == await store.find(user.id)
    assert user == await store.find_named(user.name)


async def test_a_subject_is_found_with_its_issuer_only(store: UserStore):
    """Another provider's `7` is somebody else; local users have no subject to be found by."""
    await store.add(ADA)
    await store.add(BOB)

    assert BOB == await store.find_subject("https://issuer", "7")
    assert await store.find_subject("https://other", "7") is None
    assert await store.find_subject("https://issuer", "8") is None


async def test_unknown_is_none(store: UserStore):
    """Whom it does not find is no error; names are compared exactly."""
    await store.add(ADA)

    assert await store.find(UserId("usr_x")) is None
    assert await store.find_named("Ada") is None


async def test_name_and_subject_are_taken_once(store: UserStore):
    """A second user of a name, or of a provider's subject, is refused."""
    await store.add(ADA)
    await store.add(BOB)
    with pytest.raises(Conflict):
        await store.add(replace(ADA, id=UserId("usr_c")))
    with pytest.raises(Conflict):
        await store.add(replace(BOB, id=UserId("usr_c"), name="carl"))
    with pytest.raises(Conflict):
        await store.save(replace(BOB, name="ada", version=2))

    assert [ADA, BOB] == await store.list()


async def test_list_is_in_order_of_names(store: UserStore):
    """Whoever came first."""
    await store.add(BOB)
    await store.add(ADA)

    assert ["ada", "bob"] == [user.name for user in await store.list()]


async def test_save_of_something_stale_is_refused(store: UserStore):
    """Of two who read the same version, the second to save is told."""
    await store.add(ADA)
    changed = replace(ADA, disabled=True, version=2)
    await store.save(changed)
    with pytest.raises(Stale):
        await store.save(replace(ADA, administrator=False, version=2))
    with pytest.raises(Stale):
        await store.save(replace(BOB, version=2))

    assert [changed] == await store.list()
