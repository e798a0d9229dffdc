"""Everything that the routes stand on, as the composition root joins it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from cupola.audit.ports import UnitOfWork
from cupola.audit.service import Audit
from cupola.control.ports import Authenticator, Models, ReplyStore, Users
from cupola.control.seal import Seal
from cupola.deployments.belongings import Belongings
from cupola.deployments.instance_types import InstanceTypes
from cupola.deployments.ports import FleetView
from cupola.deployments.service import Endpoints
from cupola.ids import DeploymentName, EndpointName
from cupola.keys.service import Keyring, ProjectKeys
from cupola.kit.clock import Clock
from cupola.metering.service import Budgets, Prices, Usage
from cupola.projects.service import Projects
from cupola.quotas.ports import LimitStore
from cupola.subscriptions.service import Subscriptions


@dataclass(frozen=True, slots=True)
class Services:
    """The domains, and what the management API itself needs."""

    authenticator: Authenticator
    users: Users
    models: Models
    projects: Projects
    subscriptions: Subscriptions
    endpoints: Endpoints
    belongings: Belongings
    instance_types: InstanceTypes
    keyring: Keyring
    project_keys: ProjectKeys
    usage: Usage
    prices: Prices
    budgets: Budgets
    limits: LimitStore
    """Of keys and projects, and of endpoints what does not stand with the endpoint itself."""
    audit: Audit
    work: UnitOfWork
    """The one that `audit` and all stores share."""
    replies: ReplyStore
    fleet: FleetView
    find_logs: Callable[[EndpointName, DeploymentName | None], Sequence[Path]]
    """The log files of an endpoint's engines, oldest first; they need not exist."""
    base_url: Callable[[], str]
    """Where callers reach this server, as `http://127.0.0.1:8100`."""
    memory: Callable[[], int]
    """Bytes that models on this machine may take together."""
    write_backup: Callable[[Path], Awaitable[object]]
    """Writes the whole installation into a file, but for its secret."""
    clock: Clock
    on_budgets: Callable[[], None]
    """Called once a change of budgets is there for all to read."""
    seal: Seal


def _find(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(_find)]
"""As a parameter of a route."""
