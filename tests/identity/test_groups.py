import sys
from pathlib import Path

import pytest

from cupola.audit.memory import MemoryAudit, MemoryWork
from cupola.audit.service import Audit
from cupola.control.groups import map_groups
from cupola.home import read_tables
from cupola.identity import console
from cupola.identity.mapping import BadIdentity, Mapping, OidcConfig, read_identity
from cupola.identity.model import Origin, User
from cupola.identity.oidc import OidcProvider
from cupola.identity.provider import open_provider
from cupola.ids import ProjectName, UserId
from cupola.kit.clock import FakeClock
from cupola.projects.memory import MemoryProjects
from cupola.projects.model import Right, Role
from cupola.projects.service import Projects
from tests.identity.test_mapping import ROLES, WHOLE, write

GRACE = User(UserId("usr_g"), "grace", Origin.OIDC, 0, issuer="https://issuer", subject="7")
SEARCH, OTHER = ProjectName("search"), ProjectName("other")
CONFIG = OidcConfig(
    "https://issuer",
    "cupola",
    mapping=(
        Mapping("everyone", SEARCH, "reader"),
        Mapping("search-team", SEARCH, "developer"),
        Mapping("leads", SEARCH, "owner"),
        Mapping("everyone", ProjectName("missing"), "owner"),
    ),
)


@pytest.fixture
async def projects() -> Projects:
    clock = FakeClock()
    audit = Audit(MemoryAudit(), MemoryWork(), clock)
    projects = Projects(MemoryProjects(), audit, clock)
    for name in (SEARCH, OTHER):
        await projects.ensure(name)
    return projects


async def roles_of_grace(projects: Projects) -> dict[str, Role]:
    found: dict[str, Role] = {}
    for name in (SEARCH, OTHER):
        reached = await projects.reach(console.PRINCIPAL, name, Right.GOVERN)
        members = await projects.list_members(reached)
        found |= {each.project: each.role for each in members if each.user == GRACE.id}
    return found


async def test_groups_are_roles_for_as_long_as_they_last(projects: Projects):
    """The highest of several; less when they are fewer; nothing when none is left."""
    refresh, seen = map_groups(CONFIG, projects), []
    for groups in ({"everyone", "leads", "search-team"}, {"everyone", "search-team"}, {"other"}):
        await refresh(GRACE, frozenset(groups))
        seen.append(await roles_of_grace(projects))

    assert [{SEARCH: Role.OWNER}, {SEARCH: Role.DEVELOPER}, {}] == seen


async def test_projects_that_no_mapping_names_are_left_alone(projects: Projects):
    """A role given by hand stays there."""
    other = await projects.reach(console.PRINCIPAL, OTHER, Right.GOVERN)
    await projects.put_member(other, GRACE, Role.READER)
    await map_groups(CONFIG, projects)(GRACE, frozenset())

    assert {OTHER: Role.READER} == await roles_of_grace(projects)


def test_the_file_makes_a_provider(tmp_path: Path):
    """And no file makes none."""
    file = write(tmp_path, WHOLE)
    config = read_identity(file, read_tables(file), ROLES)
    assert config is not None
    opened = open_provider(config, FakeClock())

    assert isinstance(opened, OidcProvider)
    assert "Example" == opened.name


def test_a_missing_extra_is_said_so(monkeypatch: pytest.MonkeyPatch):
    """With what to install."""
    monkeypatch.delitem(sys.modules, "cupola.identity.oidc")
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(BadIdentity) as refused:
        open_provider(CONFIG, FakeClock())

    assert "pip install 'cupola[oidc]'" in refused.value.public
