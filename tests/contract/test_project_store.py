"""Every `ProjectStore` keeps these promises."""

from dataclasses import replace

import pytest
from sqlalchemy import insert

from cupola.db.database import Database
from cupola.db.rows import write_row
from cupola.db.tables import users
from cupola.deployments.model import DEFAULT_PROJECT
from cupola.identity.model import Origin, User
from cupola.ids import ProjectName, UserId
from cupola.kit.errors import Conflict, Stale
from cupola.projects.memory import MemoryProjects
from cupola.projects.model import Member, Project, Role
from cupola.projects.ports import ProjectStore
from cupola.projects.store import SqlProjects

ALPHA = Project(ProjectName("alpha"), created=1000, display_name="The first", core_quota=8)
BETA = Project(ProjectName("beta"), created=1001)
ADA, BEN = UserId("usr_ada"), UserId("usr_ben")


@pytest.fixture
async def store(backing: Database | None) -> ProjectStore:
    if backing is None:
        return MemoryProjects()
    async with backing.transaction() as connection:
        for user in (ADA, BEN):
            row = write_row(User(user, user, Origin.LOCAL, created=0))
            await connection.execute(insert(users).values(**row))
    store = SqlProjects(backing)
    await store.delete(DEFAULT_PROJECT)  # which a migration made
    return store


async def test_added_is_found(store: ProjectStore):
    """With every field as it was; an unknown name is no error."""
    await store.add(ALPHA)
    await store.add(BETA)

    assert ALPHA == await store.find(ALPHA.name)
    assert BETA == await store.find(BETA.name)
    assert await store.find(ProjectName("other")) is None


async def test_a_name_is_taken_once(store: ProjectStore):
    """A second project of a name is refused, and the first stays as it was."""
    await store.add(ALPHA)
    with pytest.raises(Conflict, match="'alpha'"):
        await store.add(replace(ALPHA, created=2000))

    assert [ALPHA] == await store.list()


async def test_save_replaces_what_was_read(store: ProjectStore):
    """And refuses what somebody else has changed since, or what is not there."""
    await store.add(ALPHA)
    changed = replace(ALPHA, core_quota=None, version=2)
    await store.save(changed)
    for stale in (changed, replace(BETA, version=2)):
        with pytest.raises(Stale):
            await store.save(stale)

    assert [changed] == await store.list()


async def test_list_pages_by_name(store: ProjectStore):
    """All, those after a name, and those of one user."""
    for name in ("gamma", "alpha", "beta"):
        await store.add(replace(ALPHA, name=ProjectName(name)))
    await store.put_member(Member(ProjectName("gamma"), ADA, Role.READER))

    assert ["alpha", "beta", "gamma"] == [each.name for each in await store.list()]
    assert ["beta"] == [each.name for each in await store.list(after="alpha", limit=1)]
    assert ["gamma"] == [each.name for each in await store.list(user=ADA)]
    assert [] == await store.list(user=ADA, after="gamma")
    assert [] == await store.list(user=BEN)


async def test_a_member_has_one_role(store: ProjectStore):
    """Putting another replaces it; removing says whether there was one."""
    await store.add(ALPHA)
    await store.add(BETA)
    await store.put_member(Member(ALPHA.name, ADA, Role.READER))
    await store.put_member(Member(ALPHA.name, ADA, Role.OWNER))
    await store.put_member(Member(BETA.name, BEN, Role.DEVELOPER))

    assert [Member(ALPHA.name, ADA, Role.OWNER)] == await store.list_members(ALPHA.name)
    assert 2 == len(await store.list_all_members())
    assert await store.find_member(ALPHA.name, BEN) is None
    assert await store.remove_member(ALPHA.name, ADA)
    assert not await store.remove_member(ALPHA.name, ADA)
    assert [] == await store.list_members(ALPHA.name)
    assert Member(BETA.name, BEN, Role.DEVELOPER) == await store.find_member(BETA.name, BEN)


async def test_members_are_sorted_by_user(store: ProjectStore):
    """So that a page follows another."""
    await store.add(ALPHA)
    for user in (BEN, ADA):
        await store.put_member(Member(ALPHA.name, user, Role.READER))

    assert [ADA, BEN] == [member.user for member in await store.list_members(ALPHA.name)]


async def test_members_go_with_their_project(store: ProjectStore):
    """And deleting what is not there does nothing."""
    await store.add(ALPHA)
    await store.put_member(Member(ALPHA.name, ADA, Role.OWNER))
    await store.delete(ALPHA.name)
    await store.delete(ALPHA.name)

    assert await store.find(ALPHA.name) is None
    assert [] == await store.list_all_members()
