"""One server: everything started in order, and stopped in reverse.

Read `serve` from top to bottom: what is entered first is left last, so a stop undoes the start in
reverse, and a start that fails half-way leaves nothing behind.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cupola import __version__
from cupola.app.fleet import open_fleet
from cupola.app.greeting import Greeting, Listeners, tune_collector
from cupola.app.management import Front, Late
from cupola.app.metering import Metering, open_metering
from cupola.app.metrics import count_requests, observe_metering, open_metrics, trace_requests
from cupola.app.people import open_identity, read_provider
from cupola.app.plane import make_publisher, make_verifier
from cupola.app.state import FIRST_ENDPOINT, FIRST_MODEL, Signal, State, open_state
from cupola.db.watch import Watch
from cupola.deployments.fleet import Fleet
from cupola.gateway.app import Gateway
from cupola.gateway.compatibility import Compatibility
from cupola.gateway.directory import Directory
from cupola.gateway.journey import Observer
from cupola.gateway.limits import Limits
from cupola.gateway.meter import Metered
from cupola.gateway.publish import Publisher
from cupola.home import Home, RunningServer, read_tables
from cupola.http.proxies import BehindProxies, read_networks
from cupola.http.server import Application, Server, ServerTls, listen, url_of
from cupola.identity.service import Identity
from cupola.kit.clock import Clock, SystemClock
from cupola.kit.tasks import supervise
from cupola.settings import Settings
from cupola.telemetry.log import start_log, stop_log
from cupola.tokens.model import Policy
from cupola.tokens.schemas import read_policy

if TYPE_CHECKING:
    from cupola.gateway.spans import RequestSpans
    from cupola.identity.mapping import OidcConfig

_log = logging.getLogger(__name__)


async def serve(
    settings: Settings, stopping: asyncio.Event, listeners: Listeners, ready_file: Path | None
) -> None:
    """Run Cupola until `stopping` is set.

    Args:
        ready_file: Written when the first endpoint has answered, removed at the end.

    Raises:
        CupolaError: It cannot start; the message says why, and the mend.
    """
    clock = SystemClock()
    home = Home(settings.home)
    home.prepare()
    async with AsyncExitStack() as stack:
        stack.enter_context(home.hold())
        stack.enter_context(_absent_outside(ready_file))
        start_log(home.logs / "cupola.log", settings.log_level)
        stack.callback(stop_log)
        socket = stack.enter_context(listen(settings.host, settings.port))
        tls = _choose_tls(settings, home, clock)
        note = RunningServer(
            os.getpid(),
            url_of(socket, tls=tls is not None),
            __version__,
            str(tls.certificate) if tls else None,
        )
        state = await stack.enter_async_context(open_state(settings, clock))
        await state.endpoints.ensure_first(FIRST_ENDPOINT, FIRST_MODEL)
        identity = await stack.enter_async_context(open_identity(settings, state, clock))
        written, directory = read_tables(home.identity), Directory()
        policy, oidc = read_policy(home.identity, written), read_provider(home.identity, written)
        on_change = Signal()
        fleet = await open_fleet(settings, state, clock, on_change)
        metering = await stack.enter_async_context(open_metering(settings, state, clock))
        publisher = make_publisher(directory, state, fleet, policy, metering)
        on_change.listeners.append(publisher.republish)
        watch = _watch(state, fleet, publisher)
        requests = count_requests(directory)
        spans = stack.enter_context(trace_requests(settings, clock))
        await fleet.prepare()
        await watch.tell()
        front = Front(
            _open_gateway(settings, state, directory, policy, metering, clock, requests, spans),
            _open_management(settings, state, fleet, identity, metering, clock, note.url, oidc),
            open_metrics(
                requests, state, fleet, watch, identity, clock, observe_metering(metering)
            ),
        )
        server = Server(_look_behind_proxies(settings, front), socket, tls)
        await stack.enter_async_context(_running(server, stopping))
        await stack.enter_async_context(watch.under_way())
        await stack.enter_async_context(_supervising(fleet))
        stack.enter_context(home.announce(note))
        stack.callback(server.stop)  # left before the engines end: nothing new is accepted
        greeting = Greeting(
            fleet, note, state.keys, listeners, await _link_first(identity, settings, note.url)
        )
        await stack.enter_async_context(greeting.under_way(ready_file))
        tune_collector()  # here already: the first endpoint may take its time, or never answer
        _log.info("Cupola %s listens at %s.", __version__, note.url)
        await stopping.wait()
        _log.info("Cupola stops.")


def _watch(state: State, fleet: Fleet, publisher: Publisher) -> Watch:
    """Whoever changes something tells both the fleet and the gateway, in this process or another.

    This process's own changes come twice: at once, and as a change of the database.
    """

    async def tell() -> None:
        fleet.wake()
        await publisher.publish()

    watch = Watch(state.database, tell)
    state.changes.listeners += [fleet.wake, watch.wake]
    return watch


def _look_behind_proxies(settings: Settings, front: Application) -> Application:
    trusted = read_networks(settings.trusted_proxies)
    return BehindProxies(front, trusted, settings.proxy_headers) if trusted else front


def _open_gateway(
    settings: Settings,
    state: State,
    directory: Directory,
    policy: Policy,
    metering: Metering,
    clock: Clock,
    requests: Observer,
    spans: Sequence["RequestSpans"],
) -> Application:
    compatibility = Compatibility(
        endpoint_domain=settings.endpoint_domain,
        extra_parameters=settings.extra_parameters,
        header_aliases=settings.extra_parameters_aliases,
        model_error_status=settings.model_error_status,
    )
    return Gateway(
        directory,
        state.keys.digest,
        clock,
        Limits(body_bytes=settings.max_body, body_seconds=settings.body_timeout),
        compatibility,
        make_verifier(policy, clock),
        Metered(metering.ledger, metering.limiter, metering.watch, metering.prices, clock),
        (requests, *spans),
        spans[0].begin if spans else None,
    )


def _open_management(
    settings: Settings,
    state: State,
    fleet: Fleet,
    identity: Identity,
    metering: Metering,
    clock: Clock,
    url: str,
    oidc: "OidcConfig | None",
) -> Application:
    def build() -> Application:
        from cupola.app.control import open_control  # noqa: PLC0415  half a second

        return open_control(settings, state, fleet, identity, metering, clock, url, oidc)

    return Late(build)


async def _link_first(identity: Identity, settings: Settings, url: str) -> str | None:
    """Where the first administrator is made; the code is behind the `#`, so no log ever sees it."""
    code = await identity.ensure_first_link()
    return f"{settings.public_url or url}/sign-in/first#{code}" if code else None


def _choose_tls(settings: Settings, home: Home, clock: Clock) -> ServerTls | None:
    if settings.tls_certificate and settings.tls_key:
        return ServerTls(settings.tls_certificate, settings.tls_key)
    if settings.tls == "off":
        return None
    from cupola.http.authority import ensure_certificate, list_names  # noqa: PLC0415  20 ms

    return ensure_certificate(home.tls, list_names(settings.host, settings.endpoint_domain), clock)


@asynccontextmanager
async def _running(server: Server, stopping: asyncio.Event) -> AsyncIterator[None]:
    """The server answers; left when its last reply has ended."""
    task = supervise(server.run(), name="server")
    task.add_done_callback(lambda _: stopping.set())
    try:
        yield
    finally:
        server.stop()
        await asyncio.wait([task])


@asynccontextmanager
async def _supervising(fleet: Fleet) -> AsyncIterator[None]:
    """Replicas are kept running; none is left when this is."""
    await fleet.start()
    try:
        yield
    finally:
        await fleet.stop()


@contextmanager
def _absent_outside(file: Path | None) -> Iterator[None]:
    """`file` is not there when the block begins (a killed server may have left it), nor after."""
    if file is None:
        yield
        return
    file.unlink(missing_ok=True)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
