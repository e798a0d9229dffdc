"""Every `ProjectKeyStore` keeps these promises."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from cupola.db.database import Database
from cupola.db.rows import write_row
from cupola.db.tables import users
from cupola.identity.model import Origin, User
from cupola.ids import EndpointName, ProjectName, UserId
from cupola.keys.memory import MemoryProjectKeys
from cupola.keys.model import ProjectKey
from cupola.keys.ports import ProjectKeyStore
from cupola.keys.store import SqlProjectKeys
from cupola.kit.errors import Conflict
from cupola.projects.model import Project
from cupola.projects.store import SqlProjects

ADA = UserId("usr_ada")
ALPHA, BETA = ProjectName("alpha"), ProjectName("beta")
KEY = ProjectKey(
    id="key_1",
    project=ALPHA,
    name="nightly",
    digest=b"\0\xff" * 16,
    endpoints=(EndpointName("one"), EndpointName("two")),
    made_by=ADA,
    created=1000,
    expires=2000,
)


@pytest.fixture
async def store(backing: Database | None) -> ProjectKeyStore:
    if backing is None:
        return MemoryProjectKeys()
    async with backing.transaction() as connection:
        row = write_row(User(ADA, "ada", Origin.LOCAL, created=0))
        await connection.execute(insert(users).values(**row))
    for name in (ALPHA, BETA):
        await SqlProjects(backing).add(Project(name, created=0))
    return SqlProjectKeys(backing)


def _other(number: int, **changes: object) -> ProjectKey:
    fields = {"id": f"key_{number}", "digest": bytes([number]) * 32, "name": f"name {number}"}
    return replace(KEY, **{**fields, **changes})  # type: ignore[arg-type]  # fields of a key


async def test_added_is_found(store: ProjectKeyStore):
    """With every field as it was; in its project alone."""
    everywhere = _other(2, endpoints=None, expires=None, made_by=None)
    await store.add(KEY)
    await store.add(everywhere)

    assert KEY == await store.find(ALPHA, KEY.id)
    assert everywhere == await store.find(ALPHA, everywhere.id)
    assert await store.find(BETA, KEY.id) is None
    assert await store.find(ALPHA, "key_3") is None


async def test_a_name_is_taken_once_in_a_project(store: ProjectKeyStore):
    """Others may have a key of the same name."""
    await store.add(KEY)
    with pytest.raises(Conflict, match="'nightly'"):
        await store.add(_other(2, name=KEY.name))
    elsewhere = _other(3, name=KEY.name, project=BETA)
    await store.add(elsewhere)

    assert {KEY, elsewhere} == set(await store.list_all())


async def test_list_pages_by_name(store: ProjectKeyStore):
    """Of one project."""
    for number in (3, 1, 2):
        await store.add(_other(number))
    await store.add(_other(4, project=BETA))

    assert ["name 1", "name 2", "name 3"] == [each.name for each in await store.list(ALPHA)]
    assert ["name 2"] == [each.name for each in await store.list(ALPHA, after="name 1", limit=1)]


async def test_deleted_is_gone(store: ProjectKeyStore):
    """And says whether there was anything to delete."""
    await store.add(KEY)

    assert not await store.delete(BETA, KEY.id)
    assert await store.delete(ALPHA, KEY.id)
    assert not await store.delete(ALPHA, KEY.id)
    assert [] == await store.list_all()
