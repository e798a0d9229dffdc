"""A replica against an upstream that says, byte for byte, what a test wants it to."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cupola.engines.echo import EchoReplica
from cupola.engines.port import Generation
from cupola.engines.upstream.config import Upstream
from cupola.engines.upstream.replica import UpstreamReplica
from cupola.http.client import Tls
from cupola.kit.errors import EngineFailed, Filtered, Invalid, NotFound, RateLimited, Unavailable
from cupola.wire.canonical import (
    ChatRequest,
    Delta,
    Event,
    Failed,
    Finish,
    Message,
    TextRequest,
    Usage,
)
from tests.contract.chained import chained, describe
from tests.gateway.fakes import KEY
from tests.http.certificates import make_certificate
from tests.http.connections import listening
from tests.patience import until

HI = b'data: {"choices":[{"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n'
STOP = (
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
)
DONE = b"data: [DONE]\n\n"
WHOLE = (b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],'
         b'"usage":{"prompt_tokens":3,"completion_tokens":1}}')  # fmt: skip
ANSWER = [Delta("Hi", 1), Finish("stop", Usage(3, 1))]
CONVERSATION = ChatRequest(messages=(Message("user", "Hello"),))


def stream(*events: bytes, end: bool = True) -> bytes:
    """A reply in chunks, one an event; without its end it is cut."""
    chunks = b"".join([b"%x\r\n%b\r\n" % (len(event), event) for event in events])
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    return head + b"\r\n" + chunks + (b"0\r\n\r\n" if end else b"")


def reply(status: int, body: bytes, *headers: bytes) -> bytes:
    lines = b"".join([header + b"\r\n" for header in headers])
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), lines, body)


class Server:
    """Gives its replies one after another, and hangs up after the last."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.replies:
                self.requests.append(await _read(reader))
                writer.write(self.replies.pop(0))
                await writer.drain()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def asking(
    folder: Path,
    *replies: bytes,
    dialect: str = "openai",
    more: str = "",
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[Server, Upstream]]:
    server = Server(*replies)
    async with listening(server.serve, context=context) as port:
        yield server, describe(dialect, f"http://127.0.0.1:{port}", folder, more)


async def collect(upstream: Upstream, **asked: Any) -> list[Event]:
    """What one request to a started replica gives."""
    replica = UpstreamReplica(upstream)
    await replica.start()
    request = Generation(prompt=(), conversation=CONVERSATION, **asked)
    try:
        return [event async for event in replica.generate(request)]
    finally:
        await replica.stop()


async def fail(folder: Path, *replies: bytes, **asked: Any) -> Any:
    """The error of a request that fails."""
    async with asking(folder, *replies) as (_, upstream):
        *_, last = await collect(upstream, **asked)
    assert isinstance(last, Failed)
    return last.error


@pytest.mark.parametrize("bytes_", [stream(HI, STOP, DONE), stream(HI, STOP),
                                    stream(HI + STOP + DONE, end=False)],
                         ids=["complete", "without DONE", "without end"])  # fmt: skip
async def test_a_stream(bytes_: bytes, tmp_path: Path) -> None:
    """An answer is complete when its content says so, however servers end the transfer."""
    async with asking(tmp_path, bytes_) as (server, upstream):
        assert ANSWER == await collect(upstream)

    assert server.requests[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"\r\nAuthorization: Bearer {KEY}\r\n".encode() in server.requests[0]


async def test_connections_are_kept(tmp_path: Path) -> None:
    """Streams and whole replies share one; the knock at the start was its beginning."""
    replies = [stream(HI, STOP, DONE), reply(200, WHOLE), stream(HI, STOP, DONE)]
    async with asking(tmp_path, *replies) as (server, upstream):
        replica = UpstreamReplica(upstream)
        await replica.start()
        for incremental in (True, False, True):
            request = Generation(prompt=(), conversation=CONVERSATION, incremental=incremental)
            assert ANSWER == [event async for event in replica.generate(request)]
        await replica.stop()

    assert 1 == server.connections


async def test_over_tls(tmp_path: Path) -> None:
    """The same behind a certificate that is checked."""
    context, authority = make_certificate(tmp_path)
    async with asking(tmp_path, stream(HI, STOP, DONE), context=context) as (_, upstream):
        address = Tls("localhost", upstream.target.address.port, str(authority))
        upstream = replace(upstream, target=replace(upstream.target, address=address))
        assert ANSWER == await collect(upstream)


async def test_a_long_stream(tmp_path: Path) -> None:
    """What surrounds the text of a long answer, log-probabilities say, outweighs it many times."""
    wordy = b'data: {"choices":[],"likely":"%b"}\n\n' % (b"x" * 3_000_000)
    async with asking(tmp_path, stream(HI, *[wordy] * 14, STOP, DONE)) as (_, upstream):
        assert ANSWER == await collect(upstream)


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_a_cut_reply_is_a_failure(incremental: bool, tmp_path: Path) -> None:
    """Half an answer is never taken for a whole one."""
    cut = stream(HI, end=False) if incremental else reply(200, WHOLE)[:-9]
    error = await fail(tmp_path, cut, incremental=incremental)

    assert EngineFailed is type(error)
    assert "127.0.0.1" not in error.public


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (b"event: error\ndata: Error parsing decoded stream\n\n", EngineFailed),
        (b'data: {"error":{"message":"overloaded","code":null}}\n\n', EngineFailed),
        (b'data: {"error":{"message":"no","code":"content_filter"}}\n\n', Filtered),
    ],
)
async def test_an_error_within_a_stream(
    event: bytes, kind: type, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was said before it stays said, and the log has the reason."""
    with caplog.at_level(logging.WARNING):
        async with asking(tmp_path, stream(HI, event, DONE)) as (_, upstream):
            first, last = await collect(upstream)

    assert Delta("Hi", 1) == first
    assert isinstance(last, Failed)
    assert kind is type(last.error)
    assert "far: " in caplog.text


async def test_a_repeated_key_is_struck_out(tmp_path: Path) -> None:
    """Services repeat the key that they refuse; neither log nor caller sees it."""
    body = b'{"error":{"message":"Incorrect API key provided: %b"}}' % KEY.encode()
    for status in (401, 400):
        error = await fail(tmp_path, reply(status, body))

        assert KEY not in f"{error.public} {error.private} {error}"
        assert "[key]" in str(error)


async def test_a_new_key_needs_no_restart(tmp_path: Path) -> None:
    """After a refusal the key's file is read again; the refused one is still struck out."""
    refusal = reply(401, b'{"message":"Bad key %b"}' % KEY.encode())
    async with asking(tmp_path, refusal, stream(HI, STOP, DONE)) as (server, upstream):
        replica = UpstreamReplica(upstream)
        await replica.start()
        (tmp_path / "far.key").write_text("NEW")
        request = Generation(prompt=(), conversation=CONVERSATION)
        [failed] = [event async for event in replica.generate(request)]
        assert ANSWER == [event async for event in replica.generate(request)]
        await replica.stop()

    assert isinstance(failed, Failed)
    assert KEY not in str(failed.error)
    assert b"Authorization: Bearer NEW\r\n" in server.requests[1]


async def test_a_former_key_is_struck_out_too(tmp_path: Path) -> None:
    """An answer to a request that was sent with it may come after the new one was read."""
    refusal = reply(401, b'{"message":"Bad key %b"}' % KEY.encode())
    async with asking(tmp_path, refusal, refusal, refusal) as (_, upstream):
        replica = UpstreamReplica(upstream)
        await replica.start()
        (tmp_path / "far.key").write_text("NEW")
        request = Generation(prompt=(), conversation=CONVERSATION)
        said = [str(event) for _ in range(3) async for event in replica.generate(request)]
        await replica.stop()

    assert 3 == len(said)
    assert KEY not in "".join(said)


async def test_a_refusal_without_an_end(tmp_path: Path) -> None:
    """Old proxies end a body by hanging up; the status has been said by then."""
    body = b'{"error":{"message":"top_p is too high"}}'
    error = await fail(tmp_path, b"HTTP/1.0 400 X\r\n\r\n" + body)

    assert Invalid is type(error)
    assert "top_p is too high" == error.public


async def test_a_pause_is_handed_on(tmp_path: Path) -> None:
    """From the head of the reply, for streams and whole replies."""
    error = await fail(tmp_path, reply(429, b"{}", b"Retry-After: 7"))

    assert (RateLimited, 7.0) == (type(error), error.retry_after)


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """It could lead anywhere, and the key with it."""
    async with asking(tmp_path, reply(302, b"", b"Location: http://127.0.0.1:1/")) as (
        server,
        upstream,
    ):
        [last] = await collect(upstream)

    assert isinstance(last, Failed)
    assert Unavailable is type(last.error)
    assert 1 == len(server.requests)


async def test_silence_has_an_end(tmp_path: Path) -> None:
    """It is not tried again after all that time, so it is no failed engine."""
    async with asking(tmp_path, b"HTTP/1.1 200 OK\r\n", b"", more="timeout = 0.1") as (_, upstream):
        [last] = await collect(upstream)

    assert isinstance(last, Failed)
    assert Unavailable is type(last.error)


async def test_nobody_there(tmp_path: Path) -> None:
    """The start fails with a sentence for callers and the reason for the log."""
    async with asking(tmp_path) as (_, upstream):
        pass
    replica = UpstreamReplica(upstream)
    with pytest.raises(Unavailable, match=r"cannot be reached.*127\.0\.0\.1") as caught:
        await replica.start()

    assert "The model's provider cannot be reached." == caught.value.public
    assert "failed" == replica.state


async def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    """Told at the start, by the name of the field."""
    upstream = describe("openai", "https://127.0.0.1:1", tmp_path, 'ca_file = "none.pem"')
    with pytest.raises(Unavailable, match="'ca_file'"):
        await UpstreamReplica(upstream).start()


async def test_filling_in(tmp_path: Path) -> None:
    """Mistral's route, whose replies look like a chat's; where it is missing, so is the task."""
    completion = TextRequest(prompts=("a",), suffix="b")
    request = Generation(prompt=("a",), completion=completion)
    more = 'features = ["fim"]'
    async with asking(tmp_path, stream(HI, STOP, DONE), reply(404, b"{}"), dialect="mistral",
                      more=more) as (server, upstream):  # fmt: skip
        replica = UpstreamReplica(upstream)
        await replica.start()
        assert ANSWER == [event async for event in replica.generate(request)]
        [failed] = [event async for event in replica.generate(request)]
        await replica.stop()

    assert server.requests[0].startswith(b"POST /v1/fim/completions HTTP/1.1\r\n")
    assert isinstance(failed, Failed)
    assert NotFound is type(failed.error)
    assert "fill-in-the-middle" in failed.error.public


async def test_hanging_up_reaches_the_upstream(tmp_path: Path) -> None:
    """A caller who is gone costs nothing more there either."""
    echo = EchoReplica(pause=0.02)
    async with chained("openai", echo, tmp_path) as replica:
        conversation = ChatRequest(messages=(Message("user", "word " * 200),))
        events = replica.generate(Generation(prompt=(), conversation=conversation))
        await anext(events)
        assert 1 == echo.busy
        await events.aclose()
        await until(lambda: not echo.busy)
