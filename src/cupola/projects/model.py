"""Projects, roles, and the one table that says what a role may do.

    role             read   call   deploy   govern   administer
    reader           x
    inference-user   x      x
    developer        x      x      x
    owner            x      x      x        x
    administrator    x      x      x        x        x          (of the platform, in every project)

Whoever has no role in a project cannot learn that it exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cupola.ids import ProjectName, UserId


class Right(StrEnum):
    """What can be done; every route of the management API asks for exactly one."""

    READ = "read"
    """See endpoints and what stands behind them, but no key."""
    CALL = "call"
    """See an endpoint's keys, and so call it."""
    DEPLOY = "deploy"
    """Make, change and delete endpoints; accept offers; regenerate keys; make project keys."""
    GOVERN = "govern"
    """Choose members, set limits and budgets, see the audit log of the project, delete it."""
    ADMINISTER = "administer"
    """Whatever concerns the platform as a whole: projects, users, quotas, types, prices."""


class Role(StrEnum):
    """What a member is to a project."""

    READER = "reader"
    INFERENCE_USER = "inference-user"
    DEVELOPER = "developer"
    OWNER = "owner"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.READER: frozenset({Right.READ}),
    Role.INFERENCE_USER: frozenset({Right.READ, Right.CALL}),
    Role.DEVELOPER: frozenset({Right.READ, Right.CALL, Right.DEPLOY}),
    Role.OWNER: frozenset({Right.READ, Right.CALL, Right.DEPLOY, Right.GOVERN}),
}


@dataclass(frozen=True, slots=True)
class Project:
    """The unit of tenancy: owns endpoints, subscriptions, quotas and members."""

    name: ProjectName
    created: int
    """Seconds since the Unix epoch."""
    display_name: str = ""
    core_quota: int | None = None
    """Cores that managed deployments of the project may use together; None: the installation's
    default (`CUPOLA_CORE_QUOTA`)."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A user's role in a project."""

    project: ProjectName
    user: UserId
    role: Role
