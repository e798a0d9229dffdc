"""The listening side: take a port, serve an ASGI application on it, stop without hanging.

uvicorn runs in our event loop, because the gateway shares it with the replicas' supervision. We
keep its signal handling out: what a signal ends is more than this server.
"""

import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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


class TlsUnusable(CupolaError):
    """TLS cannot be had as configured. Said to the person who runs Cupola."""


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


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """Where this machine reaches the socket, as `http://127.0.0.1:8100`."""
    host, port = listener.getsockname()[:2]
    return base_url(host, port, tls=tls)


def base_url(host: str, port: int, *, tls: bool = False) -> str:
    """The URL for a listening address; one that means "all" is reached as this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "https" if tls else "http"
    name = f"[{reachable}]" if ":" in reachable else reachable
    return f"{scheme}://{name}:{port}"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What the server shows to callers over TLS, as PEM files."""

    certificate: Path
    key: Path


class Server:
    """Serves one application on one socket until it is told to stop.

    Raises:
        TlsUnusable: The certificate, or its key, cannot be used.
    """

    def __init__(
        self, application: Application, listener: socket.socket, tls: ServerTls | None = None
    ) -> None:
        self._listener = listener
        self._uvicorn = _Quiet(_configure(application, tls))
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


def _configure(application: Application, tls: ServerTls | None) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
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
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(
            f"The certificate and the key cannot be used together: {error}. Check the files that "
            "CUPOLA_TLS_CERTIFICATE and CUPOLA_TLS_KEY name: PEM, the key without a password."
        ) from error
    if config.ssl:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config


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
