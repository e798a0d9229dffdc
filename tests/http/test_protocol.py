"""What the listening side does with what no client of good will does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from cupola.http import protocol
from cupola.http.asgi import (
    EXTENSION,
    Receive,
    Scope,
    Send,
    send_piece,
    send_whole,
    start_stream,
)
from cupola.http.server import Application, Server, listen
from cupola.kit.tasks import supervise
from tests.patience import PATIENCE


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send_whole(send, 200, ((b"content-type", b"text/plain"),), b"hello")


@dataclass
class Listening:
    port: int

    async def ask(self, *parts: bytes) -> bytes:
        """All that comes back, until the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def listening(application: Application) -> AsyncIterator[Listening]:
    with listen("127.0.0.1", 0) as listener:
        served = Server(application, listener)
        task = supervise(served.run(), name="server")
        while not served._uvicorn.started:  # noqa: ASYNC110 (it has no event to wait for)
            await asyncio.sleep(0)
        yield Listening(listener.getsockname()[1])
        served.stop()
        await task


@pytest.fixture
async def server() -> AsyncIterator[Listening]:
    async with listening(hello) as listener:
        yield listener


async def test_head_in_pieces_is_served(server: Listening):
    """A slow line is no fault of the caller's."""
    answer = await server.ask(b"GET / HT", b"TP/1.1\r\nhost: x\r\n", b"connection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"hello")


async def test_two_requests_on_a_connection(server: Listening):
    """The bounds are counted afresh for each head."""
    large = b"x-fill: " + b"a" * 20_000 + b"\r\n"
    first = b"GET / HTTP/1.1\r\nhost: x\r\n" + large + b"\r\n"
    second = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + large + b"\r\n"
    answer = await server.ask(first[:9000], first[9000:], second[:9000], second[9000:])

    assert 2 == answer.count(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
async def test_large_head_is_refused(server: Listening, whole: bool):
    """A header that never ends fills nobody's memory."""
    head = b"GET / HTTP/1.1\r\nhost: x\r\nx-flood: " + b"a" * 40_000
    answer = await server.ask(head + b"\r\n\r\n" if whole else head)

    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert answer.endswith(b"The request's head is larger than 32768 bytes. Send less.")


async def test_slow_head_is_refused(server: Listening, monkeypatch: pytest.MonkeyPatch):
    """Sending a byte now and then holds no place for ever."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 1.0)  # enough for the first bytes to arrive
    answer = await server.ask(b"GET / HTTP/1.1\r\nhost:")

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_silent_connection_is_closed(server: Listening, monkeypatch: pytest.MonkeyPatch):
    """Connecting alone is no claim to stay."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)

    assert b"" == await server.ask()


async def test_nonsense_is_refused(server: Listening):
    """What is no HTTP gets an answer that says so."""
    answer = await server.ask(b"\x00\x01 hello?\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"This is not an HTTP/1.1 request.")


async def test_a_reply_leaves_in_one_piece(server: Listening):
    """Its head is no packet of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    piece = await reader.read(4096)
    writer.close()

    assert piece.endswith(b"hello")


async def test_who_reads_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch):
    """A reply that nobody reads ends its connection, and whoever watches it is told."""
    monkeypatch.setattr(protocol, "STALL_SECONDS", 0.1)
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def pour(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"][EXTENSION].watch(lambda: ended.put_nowait("lost"))
        await start_stream(send, ())
        for _ in range(1000):
            await send_piece(send, bytes(1 << 20))
        ended.put_nowait("poured")

    async with listening(pour) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            first = await ended.get()
        writer.close()

    assert "lost" == first


async def test_a_watch_set_too_late_is_told_at_once():
    """Between a request and its watch the caller may have gone."""
    told = asyncio.Event()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope["extensions"][EXTENSION].watch(told.set)

    async with listening(late) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.close()
        async with asyncio.timeout(PATIENCE):
            await told.wait()
