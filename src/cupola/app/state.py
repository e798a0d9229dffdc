"""What an installation consists of, running or not."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cupola.audit.service import Audit
from cupola.audit.store import SqlAudit
from cupola.backup import Source
from cupola.catalog.downloads import HubAccess, HubWeightStore
from cupola.catalog.ports import Hub, WeightStore
from cupola.catalog.service import Catalog
from cupola.catalog.store import EntryFiles, OwnEntryFiles, SystemDisk, WeightFolders
from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.deployments.belongings import Belongings
from cupola.deployments.changes import make_endpoint
from cupola.deployments.instance_types import InstanceTypes
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.deployments.service import Endpoints
from cupola.deployments.store import SqlEndpoints, SqlInstanceTypes, SqlIntervals, SqlMemoryUse
from cupola.engines.upstream.config import Upstream, read_upstreams
from cupola.engines.upstream.replica import UpstreamReplica
from cupola.home import Home
from cupola.identity.store import SqlSessions, SqlUsers
from cupola.ids import EndpointName, ModelName
from cupola.keys.service import Keyring, ProjectKeys
from cupola.keys.store import SecretFile, SqlProjectKeys
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError
from cupola.metering.store import SqlBudgets
from cupola.projects.service import Projects
from cupola.projects.store import SqlProjects
from cupola.quotas.store import SqlLimits
from cupola.settings import Settings, network_variables, usable_cores
from cupola.subscriptions.service import Subscriptions
from cupola.subscriptions.store import SqlSubscriptions

FIRST_ENDPOINT = EndpointName("pilot")
FIRST_MODEL = ModelName("Cupola-Pilot")


class Signal:
    """Calls whoever listens; handed out before anybody does."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []

    def __call__(self) -> None:
        for listener in self.listeners:
            listener()


@dataclass(frozen=True, slots=True)
class Stores:
    """What the fleet and the hot path read without asking a service."""

    endpoints: SqlEndpoints
    instance_types: SqlInstanceTypes
    intervals: SqlIntervals
    memory_use: SqlMemoryUse
    users: SqlUsers
    sessions: SqlSessions
    projects: SqlProjects
    project_keys: SqlProjectKeys
    limits: SqlLimits
    budgets: SqlBudgets


@dataclass(frozen=True, slots=True)
class State:
    """The parts, joined; nothing of it runs."""

    home: Home
    database: Database
    stores: Stores
    keys: Keyring
    catalog: Catalog
    weights: WeightStore
    endpoints: Endpoints
    belongings: Belongings
    instance_types: InstanceTypes
    projects: Projects
    project_keys: ProjectKeys
    subscriptions: Subscriptions
    audit: Audit
    upstreams: Mapping[EndpointName, Upstream]
    """What stands behind the endpoints of that kind."""
    changes: Signal
    """Called after each change of endpoints."""


def locate(settings: Settings) -> Source:
    """Where an installation's state lies."""
    home = Home(settings.home)
    return Source(home, settings.database_url or home.database)


@asynccontextmanager
async def open_state(settings: Settings, clock: Clock) -> AsyncIterator[State]:
    """The installation's state; the home is made if it is not there."""
    source = locate(settings)
    source.home.prepare()
    upstreams = open_upstreams(source.home)
    ensure_schema(source.location)
    database = Database(source.location)
    weights = open_weights(settings, source.home)
    try:
        yield _join(settings, source.home, database, weights, upstreams, clock)
    finally:
        await weights.close()
        await database.close()


def _join(
    settings: Settings,
    home: Home,
    database: Database,
    weights: HubWeightStore,
    upstreams: Mapping[EndpointName, Upstream],
    clock: Clock,
) -> State:
    stores = Stores(
        SqlEndpoints(database),
        SqlInstanceTypes(database),
        SqlIntervals(database),
        SqlMemoryUse(database),
        SqlUsers(database),
        SqlSessions(database),
        SqlProjects(database),
        SqlProjectKeys(database),
        SqlLimits(database),
        SqlBudgets(database),
    )
    keys = Keyring(SecretFile(home.secret))
    audit = Audit(SqlAudit(database), database, clock)
    projects = Projects(stores.projects, audit, clock)
    belongings = Belongings(stores.limits, stores.budgets)
    changes = Signal()
    return State(
        home=home,
        database=database,
        stores=stores,
        keys=keys,
        catalog=open_catalog(home, weights),
        weights=weights,
        endpoints=Endpoints(
            stores.endpoints,
            stores.instance_types,
            projects,
            audit,
            clock,
            belongings=belongings,
            written=_name_upstreams(home, upstreams),
            core_quota=settings.core_quota or usable_cores(),
            on_change=changes,
        ),
        belongings=belongings,
        instance_types=InstanceTypes(stores.instance_types, stores.endpoints, audit),
        projects=projects,
        project_keys=ProjectKeys(stores.project_keys, keys, audit, clock),
        subscriptions=Subscriptions(SqlSubscriptions(database), audit, clock),
        audit=audit,
        upstreams=upstreams,
        changes=changes,
    )


def open_catalog(home: Home, hub: Hub | None = None) -> Catalog:
    """The catalog, with the home's own entries, and its own weights before the shipped ones.

    Args:
        hub: Where repositories can be looked up that are to be added.
    """
    own = OwnEntryFiles(home.entries, home.models, EntryFiles())
    return Catalog(own, _open_shelf(home), own, hub)


def open_weights(settings: Settings, home: Home) -> HubWeightStore:
    """What fetches weights into the home; to be closed by whoever opened it."""
    access = HubAccess(
        offline=settings.offline,
        endpoint=settings.hub_endpoint,
        find_token=settings.find_hub_token,
        environment=network_variables(),
    )
    return HubWeightStore(home.weights, _open_shelf(home), access, SystemDisk())


def _open_shelf(home: Home) -> WeightFolders:
    return WeightFolders(home.models, fetched=home.weights)


def open_upstreams(home: Home) -> Mapping[EndpointName, Upstream]:
    """What the home's file says of models that others run. Raises: BadUpstreams."""
    return {EndpointName(each.endpoint): each for each in read_upstreams(home.upstreams)}


async def find_fault(upstream: Upstream) -> str | None:
    """Why the upstream cannot be asked from here, for whoever runs Cupola; None if it can.

    No request is sent, so that looking costs nothing: a wrong key shows at the first one.
    """
    replica = UpstreamReplica(upstream)
    try:
        await replica.start()
    except CupolaError as error:
        return str(error)
    finally:
        await replica.stop()
    return None


def _name_upstreams(home: Home, upstreams: Mapping[EndpointName, Upstream]) -> Sequence[Endpoint]:
    """Their endpoints, which are as old as the file."""
    if not upstreams:
        return ()
    created = int(home.upstreams.stat().st_mtime)
    return [
        make_endpoint(name, EndpointKind.UPSTREAM, ModelName(each.model), created)
        for name, each in upstreams.items()
    ]
