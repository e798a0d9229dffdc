"""Signing in as it is served: the router on an application, a real database, a real socket."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx

from cupola.audit.service import Audit
from cupola.control.app import make_control
from cupola.control.sign_in import make_sign_in_routers
from cupola.db.database import Database
from cupola.http.proxies import BehindProxies, read_networks
from cupola.http.server import Application, Server, listen, url_of
from cupola.identity.device import DeviceSignIns
from cupola.identity.model import User
from cupola.identity.ports import Provider
from cupola.identity.service import Identity
from cupola.identity.store import SqlSessions, SqlUsers
from cupola.kit.clock import Clock, SystemClock
from cupola.kit.tasks import supervise
from tests.control.world import make_world
from tests.identity.cheap import SECRET, cheap_passwords
from tests.npm import ensure_packages
from tests.sqlite import make_database

CALLBACK = "/management/v1/sign-in/oidc/callback"
_JS = Path(__file__).parent / "js"


@dataclass
class Served:
    """A running application, and what it noted."""

    url: str
    identity: Identity
    device: DeviceSignIns
    told: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    """Names and groups that `on_sign_in` got."""
    audit: Audit | None = None

    async def noted(self) -> list[str]:
        """Actions and actors of the audit log, in their order."""
        assert self.audit is not None
        return [f"{line.action} {line.actor}" for line in reversed(await self.audit.list())]

    def browser(self) -> httpx.AsyncClient:
        """Keeps cookies and follows nothing by itself."""
        return httpx.AsyncClient(base_url=self.url)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    provide: Callable[[str], Provider] | None = None,
    clock: Clock | None = None,
    public_url: str = "",
    console_token: str | None = None,
    proxies: str = "",
) -> AsyncIterator[Served]:
    """Signing in, served; `provide` makes the provider, told the address to come back to.

    Args:
        proxies: Networks of trusted ones; empty: none.
    """
    clock = clock or SystemClock()
    make_database(folder / "cupola.db")
    database, passwords = Database(folder / "cupola.db"), cheap_passwords()
    identity = Identity(
        SqlUsers(database),
        SqlSessions(database),
        database,
        clock,
        SECRET,
        passwords=passwords,
        console_token=console_token,
    )
    with listen("127.0.0.1", 0) as socket:
        socket.listen()
        served = Served(url_of(socket), identity, DeviceSignIns(clock))
        application = _build(served, database, clock, provide, public_url)
        server = Server(BehindProxies(application, read_networks(proxies)), socket)
        task = supervise(server.run(), name="sign-in")
        try:
            yield served
        finally:
            server.stop()
            await task
            passwords.close()
            await database.close()


def _build(
    served: Served,
    database: Database,
    clock: Clock,
    provide: Callable[[str], Provider] | None,
    public_url: str,
) -> Application:
    async def on_sign_in(user: User, groups: frozenset[str]) -> None:
        served.told.append((user.name, groups))

    world = make_world(database, authenticator=served.identity, users=served.identity)
    served.audit = world.services.audit
    router, pages = make_sign_in_routers(
        served.identity,
        served.device,
        provide(served.url + CALLBACK) if provide else None,
        clock=clock,
        secret=SECRET,
        public_url=public_url,
        on_sign_in=on_sign_in,
    )
    return make_control(world.services, routers=[router], pages=[pages])


@dataclass
class NodeProvider:
    """A real OpenID Connect provider in a process of its own."""

    process: subprocess.Popen[str]
    issuer: str

    async def rotate(self) -> None:
        """Sign with another key from now on."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("rotate\n")
        self.process.stdin.flush()
        assert "rotated\n" == await asyncio.to_thread(self.process.stdout.readline)


def ensure_node() -> str:
    """Node, with the packages of `js/package-lock.json`; skips or fails without."""
    return ensure_packages(_JS)


def start_provider(node: str, redirect: str, place: str = "userinfo") -> NodeProvider:
    """One that tells groups at `place`; `stop_provider` ends it."""
    process = subprocess.Popen(
        [node, str(_JS / "provider.mjs"), redirect, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    return NodeProvider(process, json.loads(process.stdout.readline())["issuer"])


def stop_provider(provider: NodeProvider) -> None:
    """Its process ends when nobody can tell it anything any more."""
    for pipe in (provider.process.stdin, provider.process.stdout):
        assert pipe
        pipe.close()
    provider.process.wait(10)


def hidden(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}
