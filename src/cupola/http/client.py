"""A small HTTP/1.1 client: pooled connections to one address, a Unix socket, TCP or TLS.

It is the fastest part of the way to an engine, because it does the least: no redirects, cookies,
proxies or compression. A request that finds its idle connection dead is sent again on another
one, as long as nothing of an answer came; everything else that goes wrong is the caller's to judge.
Cancelling a request, or leaving a stream before its end, hangs up at once: that is how an engine
learns that its work is not wanted any more.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from cupola.http.connection import (
    DEFAULT_BOUNDS,
    Bounds,
    Broken,
    Connection,
    HeadedConnection,
    TimedOut,
    Unanswered,
)
from cupola.http.trust import pin


@dataclass(frozen=True, slots=True)
class Unix:
    """A Unix socket of this machine."""

    path: str


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and a port."""

    host: str
    port: int
    ip: str = ""
    """What to connect to, for who has looked the host up; empty: what the host resolves to."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A host and a port behind TLS, whose certificate must be valid for that host."""

    host: str
    port: int = 443
    ca_file: str | None = None
    """Authorities to believe instead of the system's, as PEM."""
    pinned: str | None = None
    """The one certificate to believe, whatever names it is for, as PEM."""
    ip: str = ""
    """As of `Tcp`; the certificate must be valid for the host all the same."""


Address: TypeAlias = Unix | Tcp | Tls

CONNECT_TIMEOUT = 5.0
MAX_IDLE = 32
"""Idle connections kept, unless the caller knows better."""


class Client:
    """Asks one server. Belongs to the event loop in which it is first used.

    Args:
        keeps: Names of the reply's headers that `Stream.headers` shall have, in lower case.

    Raises:
        OSError: The address names a file of authorities that cannot be read (`ssl.SSLError` too).
    """

    def __init__(
        self,
        address: Address,
        *,
        max_idle: int = MAX_IDLE,
        bounds: Bounds = DEFAULT_BOUNDS,
        keeps: frozenset[str] = frozenset(),
    ) -> None:
        self._address = address
        self.max_idle = max_idle
        self._bounds = bounds
        self._keeps = keeps
        self._idle: list[Connection] = []
        self._host = _name_host(address)
        self._tls = _trust(address) if isinstance(address, Tls) else None

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        within: float,
        on_cut: Callable[[int, bytes], object] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of the whole reply.

        Args:
            on_cut: Told what had come of a reply that broke off, or that nobody waits for any more.

        Raises:
            Broken: there is no complete reply, or none within `within` seconds (`TimedOut`).
        """
        request = self._write(method, path, body, headers)
        while True:
            connection, fresh = await self._connection()
            try:
                connection.send(request, streamed=False)
                return await connection.read_whole(within)
            except Unanswered:
                if fresh:
                    raise
            except BaseException:
                if on_cut is not None:
                    on_cut(*connection.read_rest())
                raise
            finally:
                self.release(connection)

    def stream(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        within: float,
    ) -> "Stream":
        """A reply that is read while it comes; `within` seconds for its head and for each part.

        Use it as `async with client.stream(...) as reply`; raises as `request` does.
        """
        return Stream(self, self._write(method, path, body, headers), within)

    def close(self) -> None:
        """Hang up on all idle connections; those in use end with their exchange."""
        self.max_idle = 0
        while self._idle:
            self._idle.pop().abort()

    async def open(self, request: bytes, within: float) -> tuple[Connection, int]:
        """For `Stream`: a connection on which the head of the reply has come, and its status."""
        while True:
            connection, fresh = await self._connection()
            try:
                connection.send(request, streamed=True)
                return connection, await connection.read_status(within)
            except Unanswered:
                self.release(connection)
                if fresh:
                    raise
            except BaseException:
                connection.abort()
                raise

    def release(self, connection: Connection) -> None:
        """Keep the connection for the next request if it may be reused, or hang up."""
        if connection.release():
            if len(self._idle) < self.max_idle:
                self._idle.append(connection)
            else:
                connection.abort()

    async def probe(self) -> None:
        """See that a connection can be made; it is kept for the first request.

        Raises:
            Broken: it cannot.
        """
        connection, _ = await self._connection()
        self._idle.append(connection)

    async def _connection(self) -> tuple[Connection, bool]:
        """A connection, and whether it was made for this request."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection, False
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await self._connect(), True
        except TimeoutError as error:
            raise TimedOut("The connection could not be made in time.") from error
        except OSError as error:
            raise Broken("The connection could not be made.", private=str(error)) from error

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        match self._address:
            case Unix(path):
                _, made = await loop.create_unix_connection(self._make, path)
            case Tcp(host, port, ip):
                _, made = await loop.create_connection(self._make, ip or host, port)
            case Tls(host, port, ip=ip):
                _, made = await loop.create_connection(
                    self._make, ip or host, port, ssl=self._tls, server_hostname=host
                )
        return made

    def _make(self) -> Connection:
        if self._keeps:
            return HeadedConnection(self._bounds, self._keeps)
        return Connection(self._bounds)

    def _write(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None
    ) -> bytes:
        lines = "".join([f"{_plain(k)}: {_plain(v)}\r\n" for k, v in (headers or {}).items()])
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        )
        return head.encode("latin-1") + body


def _name_host(address: Address) -> str:
    """The header `Host`; a default port is left out, because some servers know only that form."""
    if isinstance(address, Unix):
        return "localhost"
    host = f"[{address.host}]" if ":" in address.host else address.host
    default = 443 if isinstance(address, Tls) else 80
    return host if address.port == default else f"{host}:{address.port}"


def _trust(address: Tls) -> ssl.SSLContext:
    """Certificates and host names are checked, or the one certificate that may be shown is known;
    there is no way to switch that off."""
    if address.pinned:
        context = pin(address.pinned)
    else:
        context = ssl.create_default_context(cafile=address.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("A header may hold no control character.")
    return text


class Stream:
    """A reply that is read while it comes: `status`, then its body part by part."""

    def __init__(self, client: Client, request: bytes, within: float) -> None:
        self.status = 0
        self._client = client
        self._request = request
        self._within = within
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        self._connection, self.status = await self._client.open(self._request, self._within)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._client.release(self._connection)

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the reply's headers that the client keeps, by names in lower case."""
        assert self._connection is not None
        return self._connection.headers

    async def finish(self, within: float) -> None:
        """Read the end of a body whose content has told that it is complete.

        Without its end a connection cannot be used again; if it does not come at once, or is not
        the end, the connection is given up, and nobody waits.
        """
        assert self._connection is not None
        with suppress(Broken):
            await self._connection.read_part(within)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        assert self._connection is not None
        if part := await self._connection.read_part(self._within):
            return part
        raise StopAsyncIteration
