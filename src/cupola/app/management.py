"""The management API and the pages for signing in, imported when first asked for.

What they stand on takes half a second to import. A start has no time for that, and an installation
that is only called needs none of it.
"""

import asyncio
import logging
from collections.abc import Callable

from cupola.http.asgi import Receive, Scope, Send
from cupola.http.server import Application

_log = logging.getLogger(__name__)

METRICS = "/metrics"
_PLACES = ("/management", "/sign-in")


class Front:
    """One server's application: management and metrics where the path says so, else the gateway."""

    def __init__(self, gateway: Application, management: Application, metrics: Application) -> None:
        self._gateway = gateway
        self._management = management
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(_PLACES) and _is_below(path):
            await self._management(scope, receive, send)
        elif path == METRICS:
            await self._metrics(scope, receive, send)
        else:
            await self._gateway(scope, receive, send)


class Late:
    """An application that `build` makes when the first request comes, beside all others."""

    def __init__(self, build: Callable[[], Application]) -> None:
        self._build = build
        self._made: Application | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._build)
                    _log.info("The management API answers.")
        await self._made(scope, receive, send)


def _is_below(path: str) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in _PLACES)
