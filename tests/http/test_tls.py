"""The client over TLS, and what it keeps of a reply's head."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cupola.http.client import Client, Tls
from cupola.http.connection import Broken
from tests.http.certificates import make_certificate
from tests.http.connections import listening
from tests.patience import PATIENCE

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
BUSY = b"HTTP/1.1 429 Wait\r\nRetry-After: 7 \r\nX-Other: no\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Answers each request of a connection with the next reply."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.heads: list[bytes] = []
        self.names: list[str | None] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await self._read(reader):
            self.heads.append(head)
            writer.write(self.replies.pop(0))
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    def note_name(self, _: object, name: str | None, __: object) -> None:
        self.names.append(name)


@asynccontextmanager
async def serving(context: ssl.SSLContext, *replies: bytes) -> AsyncIterator[tuple[Server, int]]:
    server = Server(*replies)
    context.sni_callback = server.note_name
    async with listening(server.serve, context=context) as port:
        yield server, port


async def test_speaks_to_a_host_that_proves_its_name(tmp_path: Path) -> None:
    """The certificate is checked against the file of authorities, and the connection is kept."""
    context, authority = make_certificate(tmp_path)
    async with serving(context, OK, OK) as (server, port):
        client = Client(Tls("localhost", port, str(authority)))
        replies = [await client.request("POST", "/", within=PATIENCE) for _ in range(2)]
        client.close()

    assert [(200, b"hi")] * 2 == replies
    assert (1, ["localhost"]) == (server.connections, server.names)
    assert f"\r\nHost: localhost:{port}\r\n".encode() in server.heads[0]


async def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    """Nothing is sent to a server whose certificate nobody known vouches for."""
    context, _ = make_certificate(tmp_path)
    async with serving(context, OK) as (server, port):
        client = Client(Tls("localhost", port))
        with pytest.raises(Broken, match="certificate verify failed"):
            await client.request("POST", "/", within=PATIENCE)

    assert [] == server.heads


async def test_another_hosts_certificate_is_refused(tmp_path: Path) -> None:
    """A valid certificate for a different name is as good as none."""
    context, authority = make_certificate(tmp_path, "DNS:other.example")
    async with serving(context, OK) as (server, port):
        client = Client(Tls("localhost", port, str(authority)))
        with pytest.raises(Broken, match="localhost"):
            await client.probe()

    assert [] == server.heads


async def test_a_probe_is_the_first_requests_connection(tmp_path: Path) -> None:
    """Knocking costs nothing: the handshake is not made twice."""
    context, authority = make_certificate(tmp_path)
    async with serving(context, OK) as (server, port):
        client = Client(Tls("localhost", port, str(authority)))
        await client.probe()
        await client.request("POST", "/", within=PATIENCE)
        client.close()

    assert 1 == server.connections


async def test_keeps_the_headers_it_was_told_to(tmp_path: Path) -> None:
    """Those and no others, and none of the reply before."""
    context, authority = make_certificate(tmp_path)
    async with serving(context, BUSY, OK) as (_, port):
        address = Tls("localhost", port, str(authority))
        client = Client(address, keeps=frozenset({"retry-after"}))
        async with client.stream("POST", "/", within=PATIENCE) as reply:
            first = dict(reply.headers)
            await reply.finish(PATIENCE)
        async with client.stream("POST", "/", within=PATIENCE) as reply:
            second = dict(reply.headers)
        client.close()

    assert ({"retry-after": "7"}, {}) == (first, second)


def test_missing_authorities_are_told_when_the_client_is_made(tmp_path: Path) -> None:
    """Not at the first request."""
    with pytest.raises(OSError, match="No such file"):
        Client(Tls("localhost", 443, str(tmp_path / "none.pem")))
