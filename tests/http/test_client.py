"""The client against a server that says, byte for byte, what a test wants it to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from cupola.http.client import Client, Tcp, Unix
from cupola.http.connection import Bounds, Broken, TimedOut, Unanswered
from tests.http.connections import listening
from tests.patience import PATIENCE

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Counts connections, and tells when one was hung up."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.hung_up = asyncio.Event()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.script(reader, writer)
            await reader.read()
        self.hung_up.set()
        writer.close()


@asynccontextmanager
async def serving(
    path: Path, script: Script, *, bounds: Bounds | None = None
) -> AsyncIterator[tuple[Server, Client]]:
    server = Server(script)
    async with listening(server.serve, path):
        client = Client(Unix(str(path)), bounds=bounds or Bounds())
        try:
            yield server, client
        finally:
            client.close()


async def read_request(reader: Reader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


def answer(*replies: bytes, hang_up: bool = False) -> Script:
    """Answer one request with each reply in turn."""

    async def script(reader: Reader, writer: Writer) -> None:
        for reply in replies:
            await read_request(reader)
            writer.write(reply)
        if hang_up:
            await writer.drain()
            writer.close()

    return script


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


async def test_keeps_its_connection(path: Path) -> None:
    """Requests one after another share a connection, whichever way replies are framed."""
    chunked = CHUNKED + b"1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"
    async with serving(path, answer(OK, chunked, OK)) as (server, client):
        replies = [await client.request("POST", "/", b"{}", within=PATIENCE) for _ in range(3)]

    assert replies == [(200, b"hi")] * 3
    assert server.connections == 1


async def test_reads_a_stream_as_it_comes(path: Path) -> None:
    """Parts are there as soon as they are sent, and a stream read to its end is kept alive."""
    more = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"3\r\none\r\n")
        await more.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await answer(OK)(reader, writer)

    async with serving(path, script) as (server, client):
        async with client.stream("POST", "/", within=PATIENCE) as reply:
            assert reply.status == 200
            assert await anext(reply) == b"one"
            more.set()
            assert [part async for part in reply] == [b"two"]
        assert await client.request("POST", "/", within=PATIENCE) == (200, b"hi")

    assert server.connections == 1


async def test_leaving_a_stream_hangs_up(path: Path) -> None:
    """A stream that is left before its end closes the connection at once."""
    async with serving(path, answer(CHUNKED + b"3\r\none\r\n")) as (server, client):
        async with client.stream("POST", "/", within=PATIENCE) as reply:
            await anext(reply)
        await asyncio.wait_for(server.hung_up.wait(), PATIENCE)


async def test_cancelling_a_request_hangs_up(path: Path) -> None:
    """A cancelled request closes its connection at once."""
    asked = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await answer(b"HTTP/1.1 200 OK\r\n")(reader, writer)
        asked.set()

    async with serving(path, script) as (server, client):
        asking = asyncio.ensure_future(client.request("POST", "/", within=PATIENCE))
        await asked.wait()
        asking.cancel()
        await asyncio.wait_for(server.hung_up.wait(), PATIENCE)


async def test_gives_up_in_time(path: Path) -> None:
    """A reply that does not come is `TimedOut`, whole or streamed, and hangs up."""
    async with serving(path, answer(CHUNKED + b"1\r\nx\r\n")) as (server, client):
        with pytest.raises(TimedOut):
            await client.request("POST", "/", within=0.05)
        async with client.stream("POST", "/", within=PATIENCE) as reply:
            assert await anext(reply) == b"x"
            reply._within = 0.05
            with pytest.raises(TimedOut):
                await anext(reply)

    assert server.connections == 2


async def test_asks_again_on_a_dead_idle_connection(path: Path) -> None:
    """A request that met a connection just closed is sent again, on a new one."""
    async with serving(path, answer(OK, hang_up=True)) as (server, client):
        for _ in range(3):
            assert await client.request("POST", "/", within=PATIENCE) == (200, b"hi")

    assert server.connections == 3


async def test_does_not_ask_again_on_a_new_connection(path: Path) -> None:
    """A server that hangs up on a fresh connection is asked once, not for ever."""
    async with serving(path, answer(b"", hang_up=True)) as (server, client):
        with pytest.raises(Unanswered):
            await client.request("POST", "/", within=PATIENCE)
        with pytest.raises(Unanswered):
            async with client.stream("POST", "/", within=PATIENCE):
                pass

    assert server.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        CHUNKED + b"9\r\nhi",
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["short body", "short chunk", "no length", "half a head", "not HTTP"],
)
async def test_incomplete_reply_is_broken(path: Path, reply: bytes) -> None:
    """A reply is whole or an error; what might be cut is never passed off as whole."""
    async with serving(path, answer(reply, hang_up=True)) as (_, client):
        with pytest.raises(Broken):
            await client.request("POST", "/", within=PATIENCE)


@pytest.mark.parametrize(
    "reply",
    [
        OK + b"more",
        OK + OK,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ],
    ids=["left-over bytes", "two replies", "close", "HTTP/1.0"],
)
async def test_doubtful_connection_is_not_reused(path: Path, reply: bytes) -> None:
    """After a reply that leaves doubt, the next request gets a connection of its own."""
    async with serving(path, answer(reply, OK)) as (server, client):
        for _ in range(2):
            assert await client.request("POST", "/", within=PATIENCE) == (200, b"hi")

    assert server.connections == 2


async def test_bytes_on_an_idle_connection_end_it(path: Path) -> None:
    """What a server says unasked is never taken for the next request's answer."""

    async def script(reader: Reader, writer: Writer) -> None:
        await answer(OK)(reader, writer)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with serving(path, script) as (server, client):
        assert await client.request("POST", "/", within=PATIENCE) == (200, b"hi")
        await asyncio.wait_for(server.hung_up.wait(), PATIENCE)
        assert await client.request("POST", "/", within=PATIENCE) == (200, b"hi")

    assert server.connections == 2


async def test_announcements_are_passed_over(path: Path) -> None:
    """A status of 1xx is not the reply."""
    async with serving(path, answer(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as (_, client):
        assert await client.request("POST", "/", within=PATIENCE) == (200, b"hi")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 4096,
        b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + b"x" * 4096,
    ],
    ids=["head", "body"],
)
async def test_replies_are_bounded(path: Path, reply: bytes) -> None:
    """A reply beyond the bounds is broken off, not kept in memory."""
    bounds = Bounds(head=1024, body=1024)
    async with serving(path, answer(reply), bounds=bounds) as (server, client):
        with pytest.raises(Broken):
            await client.request("POST", "/", within=PATIENCE)
        await asyncio.wait_for(server.hung_up.wait(), PATIENCE)


async def test_unread_stream_makes_the_server_wait(path: Path) -> None:
    """A stream that nobody reads is not taken into memory; read on, it is all there."""
    size = 8 * 1024 * 1024
    sent = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(128):
            writer.write(b"x" * (size // 128))
            await writer.drain()
        sent.set()

    bounds = Bounds(unread=64 * 1024)
    async with (
        serving(path, script, bounds=bounds) as (_, client),
        client.stream("POST", "/", within=PATIENCE) as reply,
    ):
        await asyncio.sleep(0.1)
        assert not sent.is_set()
        assert size == sum([len(part) async for part in reply])


async def test_keeps_a_bounded_number_of_connections(path: Path) -> None:
    """After a rush only as many connections stay open as were allowed."""
    async with serving(path, answer(*[OK] * 9)) as (server, client):
        client.max_idle = 2
        for _ in range(2):
            await asyncio.gather(*[client.request("POST", "/", within=PATIENCE) for _ in range(8)])

    assert server.connections == 8 + 6


async def test_no_server_is_broken(path: Path) -> None:
    """An address where nobody listens is an error of ours, not of the operating system."""
    with pytest.raises(Broken):
        await Client(Unix(str(path))).request("GET", "/", within=PATIENCE)


async def test_speaks_tcp() -> None:
    """The same over TCP, with the host in the request's head."""
    heads = []

    async def script(reader: Reader, writer: Writer) -> None:
        heads.append(await read_request(reader))
        writer.write(OK)

    async with listening(Server(script).serve) as port:
        client = Client(Tcp("127.0.0.1", port))
        headers = {"Authorization": "Bearer x"}
        assert await client.request("POST", "/a", b"{}", headers, within=PATIENCE) == (200, b"hi")
        client.close()

    assert heads[0].startswith(b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
    assert b"\r\nAuthorization: Bearer x\r\n" in heads[0]


async def test_header_cannot_smuggle_another(path: Path) -> None:
    """A header with a line end in it is refused."""
    with pytest.raises(ValueError, match="control character"):
        await Client(Unix(str(path))).request(
            "GET", "/", headers={"A": "b\r\nC: d"}, within=PATIENCE
        )
