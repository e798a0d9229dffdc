"""What the listening side does with heads that no client of good will sends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from cupola.http import protocol
from cupola.http.asgi import Receive, Scope, Send, send_whole
from cupola.http.server import Server, listen
from cupola.kit.tasks import supervise


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
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def server() -> AsyncIterator[Listening]:
    with listen("127.0.0.1", 0) as listener:
        served = Server(hello, listener)
        task = supervise(served.run(), name="server")
        yield Listening(listener.getsockname()[1])
        served.stop()
        await task


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
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
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
