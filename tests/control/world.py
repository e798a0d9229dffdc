"""A management API over real domains, with people and projects to try it on.

    person      token       in the project `ours`
    rita        reader      reader
    ivan        caller      inference-user
    dora        developer   developer
    olga        owner       owner
    nora        nobody      nothing
    anna        admin       nothing, but is a platform administrator
    olga        narrowed    owner, with a token for `read` only

The project `theirs` belongs to `theo` (token `stranger`) alone. The endpoint `ours-one` is
serverless, `ours-two` managed with the deployments `blue` and `green`, `theirs-one` serverless.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert

from cupola.audit.memory import MemoryAudit, MemoryWork
from cupola.audit.service import Audit
from cupola.audit.store import SqlAudit
from cupola.catalog.service import Catalog
from cupola.catalog.store import EntryFiles, WeightFolders
from cupola.control.app import make_control
from cupola.control.edge import Application
from cupola.control.memory import MemoryModels, MemoryPeople, MemoryReplies
from cupola.control.seal import Seal
from cupola.control.services import Services
from cupola.control.store import SqlReplies
from cupola.db.database import Database
from cupola.db.rows import write_row
from cupola.db.tables import users
from cupola.deployments.belongings import Belongings
from cupola.deployments.instance_types import InstanceTypes
from cupola.deployments.memory import MemoryEndpoints, MemoryInstanceTypes, ToldFleet
from cupola.deployments.model import InstanceType, Scale, Spec
from cupola.deployments.service import Endpoints
from cupola.deployments.store import SqlEndpoints, SqlInstanceTypes
from cupola.identity.model import Origin, Principal, User
from cupola.ids import UserId
from cupola.keys.memory import MemoryProjectKeys, MemorySecret
from cupola.keys.service import Keyring, ProjectKeys
from cupola.keys.store import SqlProjectKeys
from cupola.kit.clock import FakeClock
from cupola.metering.memory import (
    MemoryBudgets,
    MemoryIntervalSource,
    MemoryNotices,
    MemoryPrices,
    MemoryRecords,
)
from cupola.metering.ports import UsageStore
from cupola.metering.service import Budgets, Prices, Usage
from cupola.metering.store import SqlBudgets, SqlNotices, SqlPrices
from cupola.metering.usage import InstanceInterval
from cupola.projects.memory import MemoryProjects
from cupola.projects.model import Right, Role
from cupola.projects.service import Projects, ReachableProject
from cupola.projects.store import SqlProjects
from cupola.quotas.memory import MemoryLimits
from cupola.quotas.store import SqlLimits
from cupola.subscriptions.memory import MemorySubscriptions
from cupola.subscriptions.service import Subscriptions
from cupola.subscriptions.store import SqlSubscriptions

ROOT = "/management/v1"
MODEL = "Cupola-Pilot"
OTHER_MODEL = "Mistral-Nemo"
PEOPLE: Mapping[str, str] = {
    "reader": "rita",
    "caller": "ivan",
    "developer": "dora",
    "owner": "olga",
    "nobody": "nora",
    "admin": "anna",
    "stranger": "theo",
}
ROLES = {
    "rita": Role.READER,
    "ivan": Role.INFERENCE_USER,
    "dora": Role.DEVELOPER,
    "olga": Role.OWNER,
}
TYPES = (
    InstanceType("small", cores=1, memory=2 * 1024**3),
    InstanceType("medium", cores=2, memory=8 * 1024**3),
    InstanceType("large", cores=8, memory=32 * 1024**3),
)
CATALOG = Catalog(EntryFiles(), WeightFolders(Path("/nowhere")))


@dataclass
class World:
    """The parts, for tests to look into."""

    services: Services
    people: MemoryPeople
    fleet: ToldFleet
    clock: FakeClock
    users: dict[str, User] = field(default_factory=dict)

    @cached_property
    def control(self) -> Application:
        """The application."""
        return make_control(self.services)

    @asynccontextmanager
    async def client(self, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody who asks."""
        transport = httpx.ASGITransport(self.control)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://control{ROOT}", headers=headers
        ) as client:
            yield client

    async def ask(
        self, token: str | None, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """One request."""
        async with self.client(token) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is None:
                return await client.request(method, path, headers=named)
            return await client.request(method, path, json=body, headers=named)

    async def reach(self, token: str, project: str, right: Right = Right.READ) -> ReachableProject:
        principal = await self.people.authenticate(token, "test")
        return await self.services.projects.reach(principal, project, right)


def make_world(
    database: Database | None = None,
    usage: UsageStore | None = None,
    intervals: Sequence[InstanceInterval] = (),
    **changes: Any,
) -> World:
    """An API over memory, or over a database; nobody and nothing is in it.

    Args:
        usage: The ledger; None: an empty one in memory.
    """
    clock = FakeClock()
    people, fleet, keyring = MemoryPeople(), ToldFleet(), Keyring(MemorySecret(b"s" * 32))
    work = database or MemoryWork()
    audit = Audit(SqlAudit(database) if database else MemoryAudit(), work, clock)
    projects = Projects(SqlProjects(database) if database else MemoryProjects(), audit, clock)
    stored = SqlEndpoints(database) if database else MemoryEndpoints()
    types = SqlInstanceTypes(database) if database else MemoryInstanceTypes()
    keys = SqlProjectKeys(database) if database else MemoryProjectKeys()
    prices = Prices(SqlPrices(database) if database else MemoryPrices(), clock)
    budgets = SqlBudgets(database) if database else MemoryBudgets()
    notices = SqlNotices(database) if database else MemoryNotices()
    records = usage or MemoryRecords()
    accepted = SqlSubscriptions(database) if database else MemorySubscriptions()
    limits = SqlLimits(database) if database else MemoryLimits()
    belongings = Belongings(limits, budgets)
    services = Services(
        authenticator=people,
        users=people,
        models=MemoryModels(*CATALOG.list_models()),
        projects=projects,
        subscriptions=Subscriptions(accepted, audit, clock),
        endpoints=Endpoints(
            stored,
            types,
            projects,
            audit,
            clock,
            belongings=belongings,
            core_quota=10,
            on_change=fleet.wake,
        ),
        belongings=belongings,
        instance_types=InstanceTypes(types, stored, audit),
        keyring=keyring,
        project_keys=ProjectKeys(keys, keyring, audit, clock),
        usage=Usage(records, MemoryIntervalSource(*intervals), prices.book),
        prices=prices,
        budgets=Budgets(budgets, notices, records, clock),
        limits=limits,
        audit=audit,
        work=work,
        replies=SqlReplies(database) if database else MemoryReplies(),
        fleet=fleet,
        find_logs=lambda endpoint, deployment: [],
        base_url=lambda: "http://127.0.0.1:8100",
        memory=lambda: 8 * 2**30,
        clock=clock,
        on_budgets=lambda: None,
        write_backup=_write_backup,
        seal=Seal(keyring.derive_secret("control")),
    )
    return World(replace(services, **changes), people, fleet, clock)


async def add_user(
    world: World, database: Database | None, name: str, token: str, administrator: bool = False
) -> User:
    """Somebody with a token."""
    user = User(UserId(f"usr_{name}"), name, Origin.LOCAL, 1000, administrator=administrator)
    world.users[name] = world.people.add(user)
    world.people.let_in(token, user)
    if database is not None:
        async with database.transaction() as connection:
            await connection.execute(insert(users).values(**write_row(user)))
    return user


async def _write_backup(file: Path) -> None:
    file.write_bytes(b"everything")  # noqa: ASYNC240  a few bytes


async def fill(world: World, database: Database | None = None) -> World:
    """With the people and things that this module's docstring tells of."""
    for token, name in PEOPLE.items():
        await add_user(world, database, name, token, administrator=token == "admin")
    world.people.let_in("narrowed", world.users["olga"], frozenset({Right.READ.value}))
    await world.services.instance_types.ensure_first(TYPES)
    admin = await world.people.authenticate("admin", "test")
    await _make_project(world, admin, "ours", ROLES)
    await _make_project(world, admin, "theirs", {"theo": Role.OWNER})
    ours = await world.reach("admin", "ours")
    await _make_endpoint(world, ours, "ours-one")
    await _make_endpoint(world, await world.reach("admin", "theirs"), "theirs-one")
    model = world.services.models.get_model(MODEL)
    spec, scale = Spec(model.name), Scale(1, 1, "small")
    await world.services.endpoints.create_managed(
        ours, model, "ours-two", scale=scale, deployment="blue"
    )
    await world.services.endpoints.put_deployment(ours, "ours-two", "green", model, spec, scale)
    return world


async def _make_project(
    world: World, admin: Principal, name: str, roles: Mapping[str, Role]
) -> None:
    await world.services.projects.create(admin, name)
    project = await world.reach("admin", name, Right.GOVERN)
    for user, role in roles.items():
        await world.services.projects.put_member(project, world.users[user], role)
    await world.services.projects.remove_member(project, world.users["anna"])


async def _make_endpoint(world: World, project: ReachableProject, name: str) -> None:
    model = world.services.models.get_model(MODEL)
    await world.services.endpoints.create_serverless(project, model, name)
