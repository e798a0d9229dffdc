"""Finding out that the first endpoint answers, and telling everyone."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from cupola.deployments.fleet import Fleet
from cupola.deployments.model import AuthMode, Deployment, Endpoint, EndpointState
from cupola.deployments.schemas import EndpointDetail, detail, get_keys, summarise
from cupola.home import RunningServer, write_whole
from cupola.http.client import Client, Tcp, Tls
from cupola.http.connection import Broken
from cupola.keys.service import Keyring
from cupola.kit.tasks import cancel, supervise

_log = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds without an answer after which the person at the terminal is told why."""
_PAUSE = 1.0
_FIRST_REPLY = 30.0
"""Seconds for the first reply, which may have to wait for a slow disk."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What whoever started Cupola is told once it answers."""

    endpoints: Sequence[EndpointDetail]
    first_link: str | None
    """Where the first administrator is made; None: there is one."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told how a start goes on."""

    on_ready: Callable[[Ready], None]
    """Once, when the first endpoint has answered a request, or if there is none."""
    on_delay: Callable[[str], None]
    """Each time that it has not answered for a while; says why."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """The parts of it."""

    fleet: Fleet
    server: RunningServer
    keyring: Keyring
    listeners: Listeners
    first_link: str | None

    @asynccontextmanager
    async def under_way(self, ready_file: Path | None) -> AsyncIterator[None]:
        """In the background while the block runs."""
        task = supervise(self._greet(ready_file), name="greeting")
        try:
            yield
        finally:
            await cancel(task)

    async def _greet(self, ready_file: Path | None) -> None:
        while (reason := await self._find_delay()) is not None:
            self.listeners.on_delay(reason)
            await asyncio.sleep(_PAUSE)
        tune_collector()
        if ready_file is not None:
            write_whole(ready_file, json.dumps(asdict(self.server)) + "\n")
        self.listeners.on_ready(Ready(self._describe(), self.first_link))

    async def _find_delay(self) -> str | None:
        """Why the first endpoint does not answer yet; None if it does, or if nobody wants it to."""
        found = next(filter(None, map(_find_usual, self.fleet.endpoints)), None)
        if found is None:
            return None
        first, deployment = found
        pool = self.fleet.pool(first.name, deployment.name)
        if not await pool.wait_ready(_PATIENCE):
            return pool.status.reason if pool.status else pool.reason()
        reason = await _ask(self._detail(first), self.server.certificate)
        if reason is None:
            _log.info("The endpoint %s answers.", first.name)
        return reason

    def _describe(self) -> Sequence[EndpointDetail]:
        return [self._detail(each) for each in self.fleet.endpoints]

    def _detail(self, endpoint: Endpoint) -> EndpointDetail:
        summary = summarise(endpoint, self._find_state(endpoint), self.server.url)
        return detail(summary, get_keys(endpoint, self.keyring))

    def _find_state(self, endpoint: Endpoint) -> EndpointState:
        pools = [self.fleet.pool(endpoint.name, each.name) for each in endpoint.deployments]
        return EndpointState.READY if any(p.ready() for p in pools) else EndpointState.STARTING


def _find_usual(endpoint: Endpoint) -> tuple[Endpoint, Deployment] | None:
    """The deployment that should answer by itself whoever has the endpoint's key; None: there is
    none, as one that sleeps is woken by who calls it."""
    if endpoint.auth_mode is not AuthMode.KEY:
        return None
    for each in endpoint.deployments:
        if endpoint.traffic.get(each.name, 0) == 100 and each.scale.minimum > 0:
            return endpoint, each
    return None


async def _ask(endpoint: EndpointDetail, certificate: str | None) -> str | None:
    """Call the endpoint as any client would, for one token; why that failed, or None."""
    address = urlsplit(endpoint.target_uri)
    host, port = str(address.hostname), address.port or 0
    client = Client(Tls(host, port, pinned=certificate) if certificate else Tcp(host, port))
    try:
        status, _ = await client.request(
            "POST",
            f"{address.path}/chat/completions",
            b'{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}',
            {"Authorization": f"Bearer {endpoint.primary_key}"},
            within=_FIRST_REPLY,
        )
    except Broken as error:
        return error.public
    finally:
        client.close()
    return None if status == HTTPStatus.OK else f"Its first request ended with status {status}."


def tune_collector() -> None:
    """What was built at start never becomes garbage, and requests make few cycles.

    Measured: higher thresholds and a frozen start halve the slowest hundredth of replies. What a
    start leaves of garbage (some hundred objects) is not worth looking for.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    gc.enable()
