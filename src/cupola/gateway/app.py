"""The inference plane's face: a bare ASGI application, which alone knows of HTTP methods.

No framework stands between the server and the stages of a request, because one costs about as much
as all stages together (decision 0001). Errors raised anywhere below become replies here, in the
dialect of the route.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

from msgspec.json import encode

from cupola.engines.port import Trace
from cupola.gateway.absent import TASKS, refuse_task
from cupola.gateway.address import SHOWN, Address, Resource
from cupola.gateway.authenticate import (
    Authenticator,
    Verifier,
    choose_among,
    find_served,
    list_served,
)
from cupola.gateway.chat import Chat, Tracing
from cupola.gateway.compatibility import SERVICE, Compatibility
from cupola.gateway.directory import Directory, Served, ServedEndpoint
from cupola.gateway.exchange import Exchange
from cupola.gateway.journey import CLIENT_GONE, Journey, Observer
from cupola.gateway.limits import Limits
from cupola.gateway.meter import Meter, RefusedByLimit, Unmetered
from cupola.gateway.models import describe_model, get_model, list_models
from cupola.gateway.openapi import describe_endpoint
from cupola.gateway.page import render_page
from cupola.gateway.trace import pass_on
from cupola.http.asgi import ClientGone, Receive, Scope, Send
from cupola.http.page import POLICY
from cupola.ids import EndpointName
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, Kind, NotFound, WrongMethod

_TEXT = b"text/plain; charset=utf-8"
_HTML = b"text/html; charset=utf-8"
_PAGE_POLICY = (b"content-security-policy", POLICY.encode())

_log = logging.getLogger(__name__)


class Gateway:
    """Serves every endpoint of the directory.

    Args:
        digest: Key -> what the directory knows it by.
        verifier: Of tokens; None: no issuer is accepted.
        meter: Admits requests and keeps account of them; None: all are admitted, none is kept.
        observers: Told of each request at its end; their errors are logged and concern nobody.
        trace: What upstreams are told of a request's trace; None: what the caller says of it.
    """

    def __init__(
        self,
        directory: Directory,
        digest: Callable[[str], bytes],
        clock: Clock,
        limits: Limits | None = None,
        compatibility: Compatibility = SERVICE,
        verifier: Verifier | None = None,
        meter: Meter | None = None,
        observers: Sequence[Observer] = (),
        trace: Tracing | None = None,
    ) -> None:
        self._directory = directory
        self._authenticator = Authenticator(digest, clock, verifier)
        self._clock = clock
        self._observers = observers
        self._compatibility = compatibility
        self._chat = Chat(
            directory,
            self._authenticator,
            clock,
            limits or Limits(),
            meter or Unmetered(),
            trace or _pass_on,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _decline(scope, send)
            return
        exchange = Exchange(scope, receive, send, self._compatibility)
        exchange.journey.began = self._clock.monotonic()
        try:
            await self._serve(exchange)
        except ClientGone:
            exchange.journey.error = CLIENT_GONE
            _log.debug("%s: the caller hung up.", exchange.id)
        except RefusedByLimit as refused:
            await exchange.refuse(refused.error, headers=refused.headers)
        except CupolaError as error:
            if error.private:
                _log.warning("%s: %s", exchange.id, error.private)
            await exchange.refuse(error)
        except Exception:  # noqa: BLE001 (the HTTP edge: logged with its trace, told as a 500)
            exchange.journey.error = Kind.INTERNAL.value
            await _fail(exchange)
        finally:
            self._report(exchange.journey)

    def _report(self, journey: Journey) -> None:
        journey.end(self._clock.monotonic())
        for observer in self._observers:
            try:
                observer.observe(journey)
            except Exception:  # noqa: BLE001 (whoever observes must not harm what is observed)
                _log.exception("%s could not be observed.", journey.id)

    async def _serve(self, exchange: Exchange) -> None:
        address = exchange.address
        if address is None:
            raise NotFound(f"There is nothing at '{exchange.path[:200]}'.")
        shown = address.resource in SHOWN
        if shown and exchange.method in ("GET", "HEAD"):
            await self._show(exchange, address)
        elif shown or exchange.method != "POST":
            await _refuse_method(exchange, address)
        elif address.resource in TASKS:
            refuse_task(TASKS[address.resource], await self._find_allowed(exchange, address))
        else:
            await self._chat.answer(exchange, address)

    async def _show(self, exchange: Exchange, address: Address) -> None:
        """Reply to a GET."""
        match address.resource:
            case Resource.LIVENESS:
                await exchange.reply(b"ok", kind=_TEXT)
            case Resource.READINESS:
                await self._show_readiness(exchange)
            case Resource.ENDPOINT_HEALTH:
                await _show_health(exchange, self._find_public(address))
            case Resource.OPENAPI:
                await exchange.reply(encode(self._document(exchange, address)))
            case Resource.DOCS:
                page = render_page(self._document(exchange, address))
                await exchange.reply(page.encode(), kind=_HTML, headers=(_PAGE_POLICY,))
            case _:
                await exchange.reply(encode(await self._describe(exchange, address)))

    async def _describe(self, exchange: Exchange, address: Address) -> dict[str, Any]:
        """What only a caller with a key or token may know."""
        if address.resource is Resource.INFO and address.endpoint is None:
            asked = parse_qs(exchange.query.decode("latin-1")).get("model", [None])[0]
            endpoint = choose_among(await self._list_allowed(exchange), asked)
            return describe_model(exchange.show(endpoint))
        served = await self._find_allowed(exchange, address)
        if address.resource is Resource.MODELS:
            return list_models(served)
        if address.resource is Resource.MODEL:
            return get_model(served, address.model)
        return describe_model(served[0])

    async def _find_allowed(self, exchange: Exchange, address: Address) -> Sequence[Served]:
        """Who stands for the endpoint of the address, or for each that the caller may call."""
        if address.endpoint is None:
            endpoints = await self._list_allowed(exchange)
            return [endpoint.usual for endpoint in endpoints if endpoint.usual]
        snapshot = self._directory.snapshot
        caller = await self._authenticator.authenticate(
            exchange.headers, snapshot, address.endpoint
        )
        return [exchange.show(find_served(snapshot, caller, address.endpoint))]

    async def _list_allowed(self, exchange: Exchange) -> Sequence[ServedEndpoint]:
        snapshot = self._directory.snapshot
        caller = await self._authenticator.authenticate(exchange.headers, snapshot, None)
        return list_served(snapshot, caller)

    def _document(self, exchange: Exchange, address: Address) -> dict[str, Any]:
        endpoint = self._find_public(address)
        served = exchange.show(endpoint)
        return describe_endpoint(served, endpoint, _root(exchange), self._compatibility)

    def _find_public(self, address: Address) -> ServedEndpoint:
        """The endpoint, for what needs no key: its health and its documentation."""
        name = address.endpoint or EndpointName("")
        endpoint = self._directory.snapshot.endpoints.get(name)
        if endpoint is None:
            raise NotFound(f"There is no endpoint '{name[:64]}'.")
        return endpoint

    async def _show_readiness(self, exchange: Exchange) -> None:
        """Ready if some endpoint is, or if there is none to be ready."""
        endpoints = self._directory.snapshot.endpoints.values()
        if not endpoints or any(_is_ready(endpoint) for endpoint in endpoints):
            await exchange.reply(b"ready", kind=_TEXT)
        else:
            await exchange.reply(b"No endpoint is ready yet.", status=503, kind=_TEXT)


def _pass_on(journey: Journey) -> Trace | None:
    return pass_on(journey.headers)


def _is_ready(endpoint: ServedEndpoint) -> bool:
    return any(served.pool.ready() for served in endpoint.deployments.values())


async def _show_health(exchange: Exchange, endpoint: ServedEndpoint) -> None:
    """Of the deployment that is named, else of all that get traffic: none is passed over."""
    named = exchange.find_named(endpoint)
    asked = [named] if named else endpoint.with_traffic()
    if not asked:
        await exchange.reply(endpoint.explain_silence().encode(), status=503, kind=_TEXT)
        return
    down = [served for served in asked if not served.pool.ready()]
    if not down:
        await exchange.reply(b"healthy", kind=_TEXT)
    elif len(endpoint.deployments) == 1:
        await exchange.reply(down[0].pool.reason().encode(), status=503, kind=_TEXT)
    else:
        reasons = "\n".join(f"{served.deployment}: {served.pool.reason()}" for served in down)
        await exchange.reply(reasons.encode(), status=503, kind=_TEXT)


async def _refuse_method(exchange: Exchange, address: Address) -> None:
    allowed = b"GET, HEAD, OPTIONS" if address.resource in SHOWN else b"POST, OPTIONS"
    if exchange.method == "OPTIONS":
        await exchange.reply(b"", status=204, headers=((b"allow", allowed),))
        return
    error = WrongMethod(f"{exchange.method[:20]} is not possible here; {allowed.decode()} are.")
    await exchange.refuse(error, headers=((b"allow", allowed),))


async def _fail(exchange: Exchange) -> None:
    """The last resort: a fault of ours, told with the number under which it is logged."""
    _log.exception("%s: %s %s failed.", exchange.id, exchange.method, exchange.path)
    if not exchange.started:
        await exchange.refuse(
            CupolaError(f"Something went wrong on our side. The log has it as {exchange.id}.")
        )


async def _decline(scope: Scope, send: Send) -> None:
    """Whatever is not HTTP. A server that asks about its life cycle takes the error as a no."""
    if scope["type"] != "websocket":
        raise NotImplementedError(scope["type"])
    await send({"type": "websocket.close", "code": 1000})


def _root(exchange: Exchange) -> str:
    """The endpoint's URL as the caller wrote it: everything before the document's own name."""
    host = exchange.headers.get(b"host", b"localhost").decode("latin-1")
    return f"{exchange.scheme}://{host}{exchange.path.rstrip('/').rpartition('/')[0]}"
