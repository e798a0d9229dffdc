"""The management API as it runs: uvicorn on a free port, SQLite, real identity and services.

Only engines are missing: in the place of the fleet stands one that says of each deployment first
that it starts, and a moment later that it is ready. What is in the home is what a server leaves
there, so that commands find it as they would find any.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from argon2 import PasswordHasher

from cupola.backup import Source
from cupola.control import apply
from cupola.control.app import make_control
from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.deployments.model import DEFAULT_PROJECT, DeploymentState, DeploymentStatus
from cupola.home import Home, RunningServer
from cupola.http.server import listen, url_of
from cupola.identity.console import write_console_token
from cupola.identity.passwords import Passwords
from cupola.identity.service import Identity
from cupola.identity.store import SqlSessions, SqlUsers
from cupola.ids import DeploymentName, EndpointName
from cupola.kit.clock import SystemClock
from tests.control.world import make_world

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As the real one, in a hundredth of the time."""
_LOOKS = 2
"""How often a deployment is starting before it is ready."""
LOG = "llama.cpp: loaded\nllama.cpp: listening\n"


class PromptFleet:
    """A `FleetView` whose deployments start as soon as somebody looks; `broken` never do."""

    def __init__(self) -> None:
        self._looks: dict[EndpointName, int] = {}
        self.broken: set[str] = set()

    def describe(self, endpoint: EndpointName) -> Sequence[DeploymentStatus]:
        looks = self._looks[endpoint] = self._looks.get(endpoint, 0) + 1
        if endpoint in self.broken:
            reason = "engine exited 1: out of memory. Choose Q4_K_M."
            return [self._status(endpoint, DeploymentState.FAILED, reason)]
        if looks <= _LOOKS and endpoint.startswith("slow"):
            return [self._status(endpoint, DeploymentState.DOWNLOADING, "downloading 43 %", 0.43)]
        names = ("blue", "green", endpoint)
        return [self._status(each, DeploymentState.READY, "") for each in names]

    def wake(self) -> None:
        """It looks by itself."""

    def _status(
        self, name: str, state: DeploymentState, reason: str, progress: float | None = None
    ) -> DeploymentStatus:
        ready = 1 if state is DeploymentState.READY else 0
        return DeploymentStatus(
            DeploymentName(name), state, reason, progress, ready=ready, wanted=1, revision=1
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
    begun.wait(30)
    try:
        match said[-1]:
            case Live() as server:
                yield server
            case BaseException() as error:
                raise error
    finally:
        stopping.set()
        thread.join(30)


async def _serve(
    folder: Path,
    said: list[Live | BaseException],
    begun: threading.Event,
    stopping: threading.Event,
) -> None:
    home, fleet, passwords = Home(folder), PromptFleet(), Passwords(QUICK)
    home.prepare()
    log = home.logs / "engine.log"
    log.write_text(LOG)
    location = Source(home, home.database).location
    ensure_schema(location)
    database = Database(location)
    token = write_console_token(home.run / "console.token")
    people = Identity(
        SqlUsers(database),
        SqlSessions(database),
        SystemClock(),
        b"s" * 32,
        passwords=passwords,
        console_token=token,
    )
    with home.hold(), listen("127.0.0.1", 0) as socket:
        url = url_of(socket)
        services = make_world(
            database,
            authenticator=people,
            users=people,
            fleet=fleet,
            find_logs=lambda endpoint, deployment: [log],
            base_url=lambda: url,
        ).services
        await services.projects.ensure(DEFAULT_PROJECT)
        await services.instance_types.ensure_first()
        olga = await people.create_user("olga", None, administrator=True)
        _, session = await people.open_session(olga, "tests")
        control = make_control(services, routers=[apply.router])
        server = uvicorn.Server(uvicorn.Config(control, log_level="error", lifespan="off"))
        with home.announce(RunningServer(1, url, "test")):
            task = asyncio.ensure_future(server.serve([socket]))
            said.append(Live(url, token, session, folder, fleet))
            begun.set()
            await asyncio.to_thread(stopping.wait)
            server.should_exit = True
            await task
    passwords.close()
    await database.close()
