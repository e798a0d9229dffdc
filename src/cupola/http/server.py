"""The listening side: take a port, serve an ASGI application on it, stop without hanging.

uvicorn runs in our event loop, because the gateway shares it with the replicas' supervision. We
keep its signal handling out: what a signal ends is more than this server.
"""

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import uvicorn

from cupola.http.asgi import Receive, Scope, Send
from cupola.http.protocol import BoundedProtocol
from cupola.kit.errors import CupolaError

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_IDLE = 75
"""Seconds an idle connection is kept: longer than clients' pools keep theirs, so that they hang up
first and never send into a closing one."""
_LAST_WORDS = 1
"""Seconds for replies under way to end once we stop; their engines have been told to."""
_BACKLOG = 2048


class PortUnusable(CupolaError):
    """The address cannot be listened on. Said to the person who runs Cupola."""


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket; closed when the block ends."""
    try:
        family, kind, protocol, _, address = _resolve(host, port)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortUnusable(_explain(host, port, error)) from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise PortUnusable(_explain(host, port, error)) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """Where this machine reaches the socket, as `http://127.0.0.1:8100`."""
    host, port = listener.getsockname()[:2]
    return base_url(host, port)


def base_url(host: str, port: int) -> str:
    """The URL for a listening address; one that means "all" is reached as this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


class Server:
    """Serves one application on one socket until it is told to stop."""

    def __init__(self, application: Application, listener: socket.socket) -> None:
        self._listener = listener
        self._uvicorn = _Quiet(_configure(application))
        # A caller that sends nonsense is told so, and is nothing to warn anybody else of.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    async def run(self) -> None:
        """Returns when `stop` was called and replies under way have ended, or were cut."""
        await self._uvicorn.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Accept nothing more, and let `run` return."""
        # What is cut now is cut on purpose, and no error to report.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._uvicorn.should_exit = True


class _Quiet(uvicorn.Server):
    """uvicorn without signal handlers."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _configure(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_LAST_WORDS,
    )


def _resolve(host: str, port: int) -> tuple[int, int, int, str, tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]


def _explain(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. Choose another with --port or "
            "CUPOLA_PORT, or 0 for any free one."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be used without privileges. Choose one above 1023 with --port."
    reason = error.strerror or os.strerror(error.errno or 0)
    return f"Cannot listen on {host}, port {port}: {reason}. Check --host and --port."
