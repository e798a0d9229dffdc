"""Requests that may be sent twice: `Idempotency-Key`.

The first request under a key is answered, and its reply kept in the same transaction as its change;
later ones get that reply again. So whoever got no answer may ask again, whatever happened between.
What may be shown once only (`show_once`) is not kept.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param

from cupola.control.authority import COOKIE, address_of
from cupola.control.model import KEPT_SECONDS, Reply
from cupola.control.services import Services
from cupola.kit.errors import Conflict, Invalid

HEADER: Final = "idempotency-key"
_LONGEST: Final = 200
_KEPT_HEADERS: Final = ("etag", "location", "operation-location")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def show_once(request: Request, *fields: str) -> None:
    """Leave these fields of the reply out of what is kept: they are null in repetitions."""
    request.state.once = fields


class RepeatableRoute(APIRoute):
    """A route that honours `Idempotency-Key` on POST.

    The whole of it is one transaction, which holds the database's one place for writers.
    """

    within: ClassVar[bool] = True
    """Whether the route runs inside the transaction that keeps its reply."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def repeatable(request: Request) -> Response:
            if request.method != "POST" or HEADER not in request.headers:
                return await handle(request)
            if self.within:
                return await _answer_once(request, handle)
            return await _answer_slowly(request, handle)

        return repeatable


class SlowRepeatableRoute(RepeatableRoute):
    """The same for work that may take long: copying files, asking others over the network.

    Its reply is kept after its change. Who asks again because the server died between the two is
    told that the name is taken, instead of getting the reply again.
    """

    within = False


async def _answer_once(request: Request, handle: Handler) -> Response:
    services: Services = request.app.state.services
    name = await _name(request, services)
    asked = await _digest(request)
    now = int(services.clock.now())
    async with services.work.transaction():
        await services.replies.sweep(now - KEPT_SECONDS)
        known = await services.replies.find(name)
        if known is not None:
            return _repeat(known, asked)
        response = await handle(request)
        if response.status_code < 300:
            await services.replies.add(_keep(request, response, name, asked, now))
    services.fleet.wake()  # only now can it see the change, as who watches budgets
    services.on_budgets()
    return response


async def _answer_slowly(request: Request, handle: Handler) -> Response:
    services: Services = request.app.state.services
    name = await _name(request, services)
    asked = await _digest(request)
    now = int(services.clock.now())
    known = await services.replies.find(name)
    if known is not None and known.created >= now - KEPT_SECONDS:
        return _repeat(known, asked)
    response = await handle(request)
    async with services.work.transaction():
        await services.replies.sweep(now - KEPT_SECONDS)
        await services.replies.add(_keep(request, response, name, asked, now))
    return response


async def _name(request: Request, services: Services) -> str:
    """The key, which is the caller's own: two people may choose the same."""
    key = request.headers[HEADER]
    if not 0 < len(key) <= _LONGEST or not (key.isascii() and key.isprintable()):
        raise Invalid(f"An Idempotency-Key has 1 to {_LONGEST} printable ASCII characters.")
    _, token = get_authorization_scheme_param(request.headers.get("authorization"))
    token = token or request.cookies.get(COOKIE, "")
    caller = await services.authenticator.authenticate(token, address_of(request))
    return f"{caller.user.id} {key}"


async def _digest(request: Request) -> bytes:
    body = await request.body()
    head = f"{request.method} {request.url.path}?{request.url.query}\n"
    return hashlib.sha256(head.encode() + body).digest()


def _keep(request: Request, response: Response, name: str, asked: bytes, now: int) -> Reply:
    body = json.loads(bytes(response.body) or b"null")
    for field in getattr(request.state, "once", ()):
        body[field] = None
    kept = {each: response.headers[each] for each in _KEPT_HEADERS if each in response.headers}
    return Reply(
        name, asked, response.status_code, json.dumps({"headers": kept, "body": body}), now
    )


def _repeat(known: Reply, asked: bytes) -> Response:
    if known.request != asked:
        raise Conflict(
            "Another request was sent with this Idempotency-Key. Choose a new key for each request."
        )
    kept = json.loads(known.body)
    return Response(
        json.dumps(kept["body"]),
        known.status,
        {**kept["headers"], "idempotency-replayed": "true"},
        "application/json",
    )
