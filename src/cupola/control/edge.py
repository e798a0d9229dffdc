"""Where requests come in: an id for each, a bounded body, and never a broken reply."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.json import encode

from cupola.control.errors import describe, fault_of_ours
from cupola.http.asgi import ClientGone, Message, Receive, Scope, Send, read_body, send_whole
from cupola.ids import new_reply_id
from cupola.kit.errors import CupolaError, NotFound

_log = logging.getLogger(__name__)

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_REQUEST_ID: Final = b"x-request-id"
_SAFE_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Edge:
    """An ASGI application around another.

    Args:
        body_bytes: Of a request's body; a larger one is refused.
        body_seconds: In which it must have arrived.
    """

    def __init__(self, inner: Application, *, body_bytes: int, body_seconds: float) -> None:
        self._inner = inner
        self._bytes = body_bytes
        self._seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        exchange = _Exchange(send)
        scope.setdefault("state", {}).update(id=exchange.id, log=exchange.log)
        try:
            if _CONTROLS.search(scope["path"]):
                raise NotFound("There is nothing at this address.")
            body = await self._read(scope, receive)
            await self._inner(scope, _replay(body, receive), exchange.send)
        except ClientGone:
            _log.debug("%s: the caller hung up.", exchange.id)
        except CupolaError as error:
            await exchange.refuse(error)
        except Exception:  # noqa: BLE001 (the HTTP edge: logged with its trace, told as a 500)
            _log.exception("%s: %s %s failed.", exchange.id, scope["method"], scope["path"])
            await exchange.refuse(fault_of_ours(exchange.id))

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        declared = next((v for k, v in scope["headers"] if k == b"content-length"), b"")
        return await read_body(receive, declared, limit=self._bytes, seconds=self._seconds)


class _Exchange:
    """One request, and whether its reply has begun."""

    def __init__(self, send: Send) -> None:
        self.id = new_reply_id()
        self._send = send
        self._started = False

    def log(self, text: str) -> None:
        _log.warning("%s: %s", self.id, text)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            known = {name for name, _ in message["headers"]}
            more = [(k, v) for k, v in _SAFE_HEADERS if k not in known]
            message["headers"] = [*message["headers"], *more, (_REQUEST_ID, self.id.encode())]
        await self._send(message)

    async def refuse(self, error: CupolaError) -> None:
        """Too late once a reply has begun: then the connection just ends."""
        if self._started:
            return
        if error.private:
            self.log(error.private)
        status, body, headers = describe(error, self.id)
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        if status in _UNREAD:
            sent.append((b"connection", b"close"))
        sent.append((b"content-type", b"application/json"))
        await send_whole(self.send, status, sent, encode(body))


_UNREAD: Final = frozenset({408, 413})
"""Refusals that leave a body unread on the connection, which must therefore end."""


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that has the whole body at once, and then waits for the caller to hang up."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
