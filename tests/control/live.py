"""The management API as it runs: uvicorn on a free port, SQLite, real identity and services.

Only engines are missing: in the place of the fleet stands one that says of each deployment that it
is ready a moment after it was asked for. What is in the home is what a server leaves
there, so that commands find it as they would find any.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from argon2 import PasswordHasher

from cupola.backup import Source
from cupola.control.app import make_control
from cupola.control.sign_in import make_sign_in_routers
from cupola.db.database import Database
from cupola.deployments.model import (
    DEFAULT_PROJECT,
    Deployment,
    DeploymentState,
    DeploymentStatus,
    Endpoint,
)
from cupola.deployments.ports import EndpointStore
from cupola.deployments.service import Endpoints
from cupola.deployments.store import SqlEndpoints, SqlInstanceTypes
from cupola.home import Home, RunningServer
from cupola.http.server import listen, url_of
from cupola.identity.console import write_console_token
from cupola.identity.device import DeviceSignIns
from cupola.identity.passwords import Passwords
from cupola.identity.service import Identity
from cupola.identity.store import SqlSessions, SqlUsers
from cupola.ids import EndpointName
from cupola.kit.clock import SystemClock
from cupola.metering.model import UsageRecord
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.store import SqlUsage
from tests.control.world import TYPES, make_world
from tests.patience import PATIENCE
from tests.sqlite import make_database, make_ledger

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As the real one, in a hundredth of the time."""
_LOOKS = 2
"""How often a slow deployment is on its way before it is ready."""
_PAUSE = 0.05
LOG = "llama.cpp: loaded\nllama.cpp: listening\n"


class PromptFleet:
    """A `FleetView` that brings about what is wanted a moment after it was woken.

    What is called `slow...` is looked at a few times before it is ready; `broken` never is.
    """

    def __init__(self, stored: EndpointStore) -> None:
        self._stored = stored
        self._wanted: dict[EndpointName, Endpoint] = {}
        self._looks: dict[EndpointName, int] = {}
        self.broken: set[str] = set()

    def describe(self, endpoint: EndpointName) -> Sequence[DeploymentStatus]:
        known = self._wanted.get(endpoint)
        if known is None:
            return []
        looks = self._looks[endpoint] = self._looks.get(endpoint, 0) + 1
        return [self._describe(endpoint, each, looks) for each in known.deployments]

    def wake(self) -> None:
        """In a context of its own: the caller may be in a transaction."""
        asyncio.get_running_loop().create_task(self._look(), context=Context())

    async def _look(self) -> None:
        await asyncio.sleep(_PAUSE)
        self._wanted = {each.name: each for each in await self._stored.list()}

    def _describe(
        self, endpoint: EndpointName, deployment: Deployment, looks: int
    ) -> DeploymentStatus:
        state, reason, progress = DeploymentState.READY, "", None
        if endpoint in self.broken:
            state, reason = DeploymentState.FAILED, "engine exited 1: out of memory. Choose Q4_K_M."
        elif endpoint.startswith("slow") and looks <= _LOOKS:
            state, reason, progress = DeploymentState.DOWNLOADING, "downloading 43 %", 0.43
        wanted = deployment.scale.minimum
        ready = wanted if state is DeploymentState.READY else 0
        return DeploymentStatus(
            deployment.name, state, reason, progress, ready, wanted, deployment.revision
        )


@dataclass
class Live:
    """A server that answers."""

    url: str
    token: str
    """The console's."""
    session: str
    """The token of `olga`, an administrator."""
    home: Path
    fleet: PromptFleet
    confirm: Callable[[str], None]
    """Let the device with this code in, as `olga`."""
    now: float
    """What its clock says, which stands still."""
    write: Callable[[Sequence[UsageRecord]], None]
    """Put records into its ledger."""


@contextmanager
def live(folder: Path) -> Iterator[Live]:
    """A server on the home `folder`, in a thread of its own."""
    begun, stopping = threading.Event(), threading.Event()
    said: list[Live | BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_serve(folder, said, begun, stopping))
        except BaseException as error:  # noqa: BLE001  handed to whoever waits
            said.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(PATIENCE)
    try:
        match said[-1]:
            case Live() as server:
                yield server
            case BaseException() as error:
                raise error
    finally:
        stopping.set()
        thread.join(PATIENCE)


async def _serve(
    folder: Path,
    said: list[Live | BaseException],
    begun: threading.Event,
    stopping: threading.Event,
) -> None:
    home, passwords = Home(folder), Passwords(QUICK)
    home.prepare()
    log = home.logs / "engine.log"
    log.write_text(LOG)
    location = Source(home, home.database).location
    make_database(home.database)
    database = Database(location)
    make_ledger(home.ledger)
    records, ledger = SqliteRecords(home.ledger), Database(home.ledger)
    stored = SqlEndpoints(database)
    fleet = PromptFleet(stored)
    token = write_console_token(home.run / "console.token")
    people = Identity(
        SqlUsers(database),
        SqlSessions(database),
        database,
        SystemClock(),
        b"s" * 32,
        passwords=passwords,
        console_token=token,
    )
    with home.hold(), listen("127.0.0.1", 0) as socket:
        url = url_of(socket)
        services = make_world(
            database,
            SqlUsage(ledger),
            authenticator=people,
            users=people,
            fleet=fleet,
            find_logs=lambda endpoint, deployment: [log],
            base_url=lambda: url,
        ).services
        services = replace(
            services,
            endpoints=Endpoints(
                stored,
                SqlInstanceTypes(database),
                services.projects,
                services.audit,
                services.clock,
                belongings=services.belongings,
                core_quota=16,
                on_change=fleet.wake,
            ),
        )
        await services.projects.ensure(DEFAULT_PROJECT)
        await services.instance_types.ensure_first(TYPES)
        olga = await people.create_user("olga", None, administrator=True)
        _, session = await people.open_session(olga, "tests")
        loop, clock = asyncio.get_running_loop(), SystemClock()

        def confirm(code: str) -> None:
            loop.call_soon_threadsafe(device.approve, code, olga)

        def write(added: Sequence[UsageRecord]) -> None:
            asyncio.run_coroutine_threadsafe(records.write(added), loop).result(PATIENCE)

        device = DeviceSignIns(clock)
        router, pages = make_sign_in_routers(people, device, clock=clock, secret=b"s" * 32)
        control = make_control(services, routers=[router], pages=[pages])
        server = uvicorn.Server(uvicorn.Config(control, log_level="error", lifespan="off"))
        with home.announce(RunningServer(1, url, "test")):
            task = asyncio.ensure_future(server.serve([socket]))
            now = services.clock.now()
            said.append(Live(url, token, session, folder, fleet, confirm, now, write))
            begun.set()
            await asyncio.to_thread(stopping.wait)
            server.should_exit = True
            await task
    passwords.close()
    await records.close()
    await ledger.close()
    await database.close()
