"""`GET /metrics`: all numbers, for Prometheus, if who asks may see them.

The page of a thousand endpoints takes a hundred milliseconds to write, so it is written in slices,
between which requests go on, and sent as it is written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from cupola.gateway.exchange import Exchange
from cupola.http.asgi import ClientGone, Receive, Scope, Send, end_stream, send_piece
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, Unauthenticated, WrongMethod
from cupola.telemetry.metrics import CONTENT_TYPE, Source, render

Authorise = Callable[[str, str], Awaitable[None]]
"""Token, and where it comes from. Raises: Unauthenticated, Forbidden."""

_SLICE: Final = 0.0005
"""Seconds that requests may be kept waiting."""
_PIECE: Final = 64 * 1024
_SCHEME: Final = b"bearer "
_ALLOW: Final = (b"allow", b"GET, HEAD")

_log = logging.getLogger(__name__)


class MetricsPage:
    """An ASGI application for one path."""

    def __init__(self, sources: Sequence[Source], authorise: Authorise, clock: Clock) -> None:
        self._sources = sources
        self._authorise = authorise
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._show(exchange, scope)
        except ClientGone:
            _log.debug("%s: the caller hung up.", exchange.id)
        except WrongMethod as error:
            await exchange.refuse(error, headers=(_ALLOW,))
        except CupolaError as error:
            await exchange.refuse(error)
        except Exception:  # noqa: BLE001 (the HTTP edge: logged with its trace, told as a 500)
            _log.exception("%s: the metrics cannot be shown.", exchange.id)
            if not exchange.started:
                await exchange.refuse(
                    CupolaError(f"Something went wrong on our side. The log has it: {exchange.id}.")
                )

    async def _show(self, exchange: Exchange, scope: Scope) -> None:
        if exchange.method not in ("GET", "HEAD"):
            raise WrongMethod(f"{exchange.method[:20]} is not possible here; GET and HEAD are.")
        given = exchange.headers.get(b"authorization", b"")
        if given[: len(_SCHEME)].lower() != _SCHEME:
            raise Unauthenticated(
                "Metrics are for administrators of the platform. Send the token of one as "
                "'Authorization: Bearer TOKEN'; 'cupola tokens create' makes one."
            )
        source = (scope.get("client") or ("",))[0]
        token = given[len(_SCHEME) :].strip().decode("latin-1")
        await self._authorise(token, source)
        if exchange.method == "HEAD":
            await exchange.reply(b"", kind=CONTENT_TYPE)
            return
        await exchange.start_stream(CONTENT_TYPE)
        await self._write(exchange.send)

    async def _write(self, send: Send) -> None:
        pieces: list[str] = []
        size = 0
        until = self._clock.monotonic() + _SLICE
        for piece in render(self._sources):
            pieces.append(piece)
            size += len(piece)
            if size >= _PIECE:
                await send_piece(send, "".join(pieces).encode())
                pieces, size = [], 0
            if self._clock.monotonic() >= until:
                await asyncio.sleep(0)
                until = self._clock.monotonic() + _SLICE
        await end_stream(send, "".join(pieces).encode())
