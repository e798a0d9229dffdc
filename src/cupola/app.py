"""The composition root: the only place that names concrete adapters and joins the parts.

    open_state      the home: database, keys, catalog, endpoints      (commands use it too)
    serve           open_state + a supervisor per endpoint + the gateway, listening

Read `serve` from top to bottom: what is entered first is left last, so a stop undoes the start in
reverse, and a start that fails half-way leaves nothing behind.
"""

import asyncio
import gc
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from cupola import __version__
from cupola.audit.service import Audit
from cupola.audit.store import SqlAudit
from cupola.backup import Source
from cupola.catalog.model import Model, Task
from cupola.catalog.service import Catalog
from cupola.catalog.store import EntryFiles, WeightFolders
from cupola.db.database import Database
from cupola.db.migration import ensure_schema
from cupola.deployments.loop import Supervisor
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.deployments.schemas import EndpointDetail, detail, get_keys, summarise
from cupola.deployments.service import Endpoints, InstanceTypes, make_endpoint
from cupola.deployments.store import SqlEndpoints, SqlInstanceTypes
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.upstream.config import Upstream, read_upstreams
from cupola.engines.upstream.replica import UpstreamReplica
from cupola.gateway.app import Gateway
from cupola.gateway.compatibility import Compatibility
from cupola.gateway.directory import Directory, Served, Snapshot
from cupola.gateway.limits import Limits
from cupola.home import Home, RunningServer, write_whole
from cupola.http.client import Client, Tcp, Tls
from cupola.http.connection import Broken
from cupola.http.server import Server, ServerTls, listen, url_of
from cupola.ids import EndpointName, ModelName
from cupola.keys.service import Keyring, ProjectKeys
from cupola.keys.store import SecretFile, SqlProjectKeys
from cupola.kit.clock import Clock, SystemClock
from cupola.kit.errors import CupolaError, NotFound
from cupola.kit.tasks import cancel, supervise
from cupola.projects.service import Projects
from cupola.projects.store import SqlProjects
from cupola.settings import Settings, usable_cores
from cupola.subscriptions.service import Subscriptions
from cupola.subscriptions.store import SqlSubscriptions
from cupola.telemetry.log import start_log, stop_log

FIRST_ENDPOINT = EndpointName("pilot")
FIRST_MODEL = ModelName("Cupola-Pilot")

_log = logging.getLogger(__name__)

_PATIENCE = 5.0
"""Seconds without an answer after which the person at the terminal is told why."""
_PAUSE = 1.0
_FIRST_REPLY = 30.0
"""Seconds for the first reply, which may have to wait for a slow disk."""
_UNKNOWN_TEMPERATURE = 1.0
"""Said of an upstream that nobody knows the default of; never sent to it unasked."""
_UNKNOWN_CONTEXT = 131_072
"""Of an upstream that nobody knows the length of; it judges itself what is too long."""


@dataclass(frozen=True, slots=True)
class State:
    """What an installation consists of, running or not."""

    home: Home
    keys: Keyring
    catalog: Catalog
    endpoints: Endpoints
    instance_types: InstanceTypes
    projects: Projects
    project_keys: ProjectKeys
    subscriptions: Subscriptions
    audit: Audit
    upstreams: Mapping[EndpointName, Upstream]
    """What stands behind the endpoints of that kind."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told how a start goes on."""

    on_ready: Callable[[Sequence[EndpointDetail]], None]
    """Once, when the first endpoint has answered a request."""
    on_delay: Callable[[str], None]
    """Each time that it has not answered for a while; says why."""


def open_catalog(home: Home) -> Catalog:
    """The catalog, with the home's own weights before the shipped ones."""
    return Catalog(EntryFiles(), WeightFolders(home.models))


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


def locate(settings: Settings) -> Source:
    """Where an installation's state lies."""
    home = Home(settings.home)
    return Source(home, settings.database_url or home.database)


@asynccontextmanager
async def open_state(settings: Settings, clock: Clock) -> AsyncIterator[State]:
    """The installation's state; the home is made if it is not there."""
    home = Home(settings.home)
    home.prepare()
    upstreams = open_upstreams(home)
    location = locate(settings).location
    ensure_schema(location)
    database = Database(location)
    keys = Keyring(SecretFile(home.secret))
    audit = Audit(SqlAudit(database), database, clock)
    projects = Projects(SqlProjects(database), audit, clock)
    stored, types = SqlEndpoints(database), SqlInstanceTypes(database)
    try:
        yield State(
            home=home,
            keys=keys,
            catalog=open_catalog(home),
            endpoints=Endpoints(
                stored,
                types,
                projects,
                audit,
                clock,
                written=_name_upstreams(home, upstreams),
                core_quota=settings.core_quota or usable_cores(),
            ),
            instance_types=InstanceTypes(types, stored, audit),
            projects=projects,
            project_keys=ProjectKeys(SqlProjectKeys(database), keys, audit, clock),
            subscriptions=Subscriptions(SqlSubscriptions(database), audit, clock),
            audit=audit,
            upstreams=upstreams,
        )
    finally:
        await database.close()


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
        state = await stack.enter_async_context(open_state(settings, clock))
        deployments = await _deploy(settings, state, clock)
        gateway = Gateway(
            Directory(_take_snapshot(deployments, state.keys)),
            state.keys.digest,
            clock,
            Limits(body_bytes=settings.max_body, body_seconds=settings.body_timeout),
            _choose_compatibility(settings),
        )
        tls = _choose_tls(settings, home, clock)
        server = Server(gateway, socket, tls)
        note = RunningServer(
            os.getpid(),
            url_of(socket, tls=tls is not None),
            __version__,
            str(tls.certificate) if tls else None,
        )
        await stack.enter_async_context(_running(server, stopping))
        await stack.enter_async_context(_supervising(deployments))
        stack.enter_context(home.announce(note))
        stack.callback(server.stop)  # left before the engines end: nothing new is accepted
        greeting = _Greeting(deployments, note, state.keys, listeners)
        await stack.enter_async_context(greeting.under_way(ready_file))
        _log.info("Cupola %s listens at %s.", __version__, note.url)
        await stopping.wait()
        _log.info("Cupola stops.")


def _choose_tls(settings: Settings, home: Home, clock: Clock) -> ServerTls | None:
    if settings.tls_certificate and settings.tls_key:
        return ServerTls(settings.tls_certificate, settings.tls_key)
    if settings.tls == "off":
        return None
    from cupola.http.authority import ensure_certificate, list_names  # noqa: PLC0415  20 ms

    return ensure_certificate(home.tls, list_names(settings.host, settings.endpoint_domain), clock)


def _choose_compatibility(settings: Settings) -> Compatibility:
    return Compatibility(
        endpoint_domain=settings.endpoint_domain,
        extra_parameters=settings.extra_parameters,
        header_aliases=settings.extra_parameters_aliases,
        model_error_status=settings.model_error_status,
    )


@dataclass(frozen=True, slots=True)
class Deployment:
    """An endpoint, what keeps its replicas running, and what the gateway knows of it."""

    endpoint: Endpoint
    supervisor: Supervisor
    served: Served


async def _deploy(settings: Settings, state: State, clock: Clock) -> Sequence[Deployment]:
    """A deployment for each endpoint, none of them started."""
    endpoints = await state.endpoints.ensure_first(FIRST_ENDPOINT, FIRST_MODEL)
    await state.instance_types.ensure_first()
    return [
        _join_upstream(state, endpoint, upstream, clock)
        if (upstream := state.upstreams.get(endpoint.name))
        else _join(settings, state, endpoint, clock)
        for endpoint in endpoints
    ]


def _context(settings: Settings, model: Model) -> int | None:
    """Tokens of a slot; None: as the file says.

    llama.cpp attends beyond a sliding window, which the model was not trained to do: what it says
    there is not the model's (tests/proof), so the context ends with the window.
    """
    window = model.architecture.window if model.architecture else None
    asked = settings.engine_context or None
    return min(filter(None, (asked, window)), default=None)


def _join(settings: Settings, state: State, endpoint: Endpoint, clock: Clock) -> Deployment:
    model = state.catalog.get_model(endpoint.model)
    weights = state.catalog.get_weights(model)
    replica = LlamaCppReplica(
        weights.path,
        state.home.run,
        slots=settings.engine_slots,
        context_length=_context(settings, model),
        threads=settings.threads_for(weights.path.stat().st_size),
        log_folder=state.home.logs,
        name=endpoint.name,
    )
    supervisor = Supervisor([replica], clock)
    served = Served(
        endpoint=endpoint.name,
        model=model.name,
        provider=model.publisher,
        model_type=model.task,
        created=endpoint.created,
        profile=state.catalog.complete(replica.profile, model),
        default_temperature=model.default_temperature,
        pool=supervisor,
    )
    return Deployment(endpoint, supervisor, served)


def _join_upstream(
    state: State, endpoint: Endpoint, upstream: Upstream, clock: Clock
) -> Deployment:
    upstream = _complete(upstream, state.catalog)
    replica = UpstreamReplica(upstream)
    supervisor = Supervisor([replica], clock)
    temperature = upstream.default_temperature
    served = Served(
        endpoint=endpoint.name,
        model=endpoint.model,
        provider=upstream.publisher,
        model_type=Task.CHAT_COMPLETIONS,
        created=endpoint.created,
        profile=replica.profile,
        default_temperature=_UNKNOWN_TEMPERATURE if temperature is None else temperature,
        pool=supervisor,
    )
    return Deployment(endpoint, supervisor, served)


def _complete(upstream: Upstream, catalog: Catalog) -> Upstream:
    """With what the catalog knows of the model, where the file does not say it."""
    publisher, length = "", _UNKNOWN_CONTEXT
    try:
        model = catalog.get_model(upstream.model)
        publisher, length = model.publisher, model.context_length
    except NotFound:
        pass  # any model may stand behind an upstream
    return replace(
        upstream,
        publisher=upstream.publisher or publisher,
        context_length=upstream.context_length or length,
    )


def _take_snapshot(deployments: Sequence[Deployment], keyring: Keyring) -> Snapshot:
    keys: dict[bytes, frozenset[EndpointName]] = {}
    for each in deployments:
        pair = get_keys(each.endpoint, keyring)
        for key in (pair.primary, pair.secondary):
            keys[keyring.digest(key)] = frozenset([each.endpoint.name])
    return Snapshot({each.endpoint.name: each.served for each in deployments}, keys)


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
async def _supervising(deployments: Sequence[Deployment]) -> AsyncIterator[None]:
    """Replicas are kept running; none is left when this is."""
    for each in deployments:
        await each.supervisor.start()
    try:
        yield
    finally:
        await asyncio.gather(*(each.supervisor.stop() for each in deployments))


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


@dataclass(frozen=True, slots=True)
class _Greeting:
    """Finding out that the first endpoint answers, and telling everyone."""

    deployments: Sequence[Deployment]
    server: RunningServer
    keyring: Keyring
    listeners: Listeners

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
        _log.info("The endpoint %s answers.", self.deployments[0].endpoint.name)
        if ready_file is not None:
            write_whole(ready_file, json.dumps(asdict(self.server)) + "\n")
        self.listeners.on_ready(self._describe())

    async def _find_delay(self) -> str | None:
        """Why the first endpoint does not answer yet; None if it does."""
        first = self.deployments[0]
        if not await first.supervisor.wait_ready(_PATIENCE):
            return first.supervisor.reason()
        return await _ask(self._describe()[0], self.server.certificate)

    def _describe(self) -> Sequence[EndpointDetail]:
        return [
            detail(
                summarise(each.endpoint, each.supervisor.state(), self.server.url),
                get_keys(each.endpoint, self.keyring),
            )
            for each in self.deployments
        ]


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

    Measured: higher thresholds and a frozen start halve the slowest hundredth of replies.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
