"""Memberships by a provider's groups, made true whenever somebody signs in.

In a project that the mapping names, it decides over people from the provider: whoever is in no
group of it any more loses their role there, whoever gave it to them.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cupola.identity.console import CONSOLE
from cupola.identity.mapping import OidcConfig
from cupola.identity.model import Principal, User
from cupola.ids import ProjectName
from cupola.kit.errors import NotFound
from cupola.projects.model import Right, Role
from cupola.projects.service import Projects

_log = logging.getLogger(__name__)

_BY: Final = Principal(CONSOLE, source="identity.toml")
"""Who changes memberships, as the audit log tells it: the operator, by their file."""
_RANK: Final = list(Role)
"""From the lowest to the highest."""


def map_groups(
    config: OidcConfig, projects: Projects
) -> Callable[[User, frozenset[str]], Awaitable[None]]:
    """What `make_sign_in_routers` takes as `on_sign_in`."""

    async def refresh(user: User, groups: frozenset[str]) -> None:
        roles: dict[ProjectName, list[Role]] = {one.project: [] for one in config.mapping}
        for project, role in config.roles_of(groups):
            roles[project].append(Role(role))
        for project, given in roles.items():
            await _make_true(projects, user, project, max(given, key=_RANK.index, default=None))

    return refresh


async def _make_true(
    projects: Projects, user: User, project: ProjectName, role: Role | None
) -> None:
    try:
        reached = await projects.reach(_BY, project, Right.GOVERN)
    except NotFound:
        # No reason to keep people out of the others.
        _log.warning("identity.toml maps a group to the project %s, which is not there.", project)
        return
    members = {member.user: member.role for member in await projects.list_members(reached)}
    if role is not None and members.get(user.id) is not role:
        await projects.put_member(reached, user, role)
    if role is None and user.id in members:
        await projects.remove_member(reached, user)
