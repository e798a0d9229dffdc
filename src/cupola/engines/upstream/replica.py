"""A replica that somebody else runs: the engine asks an upstream, and owns no process.

    stopped -> starting -> ready -> stop -> stopped
                        -> failed (no key, or nobody there) -> start ...

Started, it has the key and has seen that the upstream takes connections; it stays ready from then
on, for a provider that fails some requests has not ended. Every error is told in words that hold
neither key nor host.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from cupola.engines.port import Generation, Profile, ReplicaState
from cupola.engines.upstream.config import JSON, JSON_SCHEMA, Upstream
from cupola.engines.upstream.events import EventReader, ServerEvent
from cupola.engines.upstream.key import read_key
from cupola.engines.upstream.refusal import FAILED, HEADERS, read_event_error, read_refusal
from cupola.engines.upstream.reply import Reply
from cupola.engines.upstream.request import encode_body, write_body, write_headers, write_trace
from cupola.http.client import Client, Stream
from cupola.http.connection import Broken, TimedOut
from cupola.kit.errors import CupolaError, EngineFailed, Unavailable
from cupola.wire.canonical import Delta, Event, Failed

NAME: Final = "upstream"
_DONE: Final = b"[DONE]"
_LINGER: Final = 0.25
"""Seconds for the end of a stream that is complete, to keep its connection."""
_MOST_REPLY: Final = 32 * 1024 * 1024
"""Bytes of a whole answer: far above any model's longest."""
_MOST_STREAM: Final = 512 * 1024 * 1024
"""Bytes of a stream, whose every token may bring twenty others along; little of it is kept."""
_MOST_REFUSAL: Final = 64 * 1024
_STOPPED: Final = "The model's engine stopped while answering."

_log = logging.getLogger(__name__)


class UpstreamReplica:
    """One model of one upstream."""

    def __init__(self, upstream: Upstream, id: str = "") -> None:
        self.id = id
        self._upstream = upstream
        self._profile = _describe(upstream)
        self._client: Client | None = None
        self._key: str | None = None
        self._former_key: str | None = None
        self._key_refused = False
        self._state: ReplicaState = "stopped"
        self._ended = asyncio.Event()
        self._busy = 0

    @property
    def profile(self) -> Profile:
        """As the operator wrote it down."""
        return self._profile

    @property
    def state(self) -> ReplicaState:
        return self._state

    @property
    def busy(self) -> int:
        """Generations under way."""
        return self._busy

    async def start(self) -> None:
        """Read the key and knock. Raises: Unavailable, with the reason in its private words."""
        self._state = "starting"
        try:
            self._key = read_key(self._upstream.key)
            self._client = self._make_client()
            await self._client.probe()
        except CupolaError as error:
            self._state = "failed"
            raise _explain_start(error) from None
        self._ended.clear()
        self._state = "ready"

    async def wait_ended(self) -> str:
        """Returns after `stop`: nothing else ends it."""
        await self._ended.wait()
        return "The endpoint was stopped."

    async def stop(self) -> None:
        """Hang up on the upstream; what is under way fails at its next event."""
        self._state = "stopped"
        self._ended.set()
        if self._client is not None:
            self._client.close()

    async def generate(self, request: Generation) -> AsyncGenerator[Event, None]:
        """Answer `request`, one event at a time."""
        self._busy += 1
        request.tally.begin()
        said = False
        try:
            async with aclosing(self._answer(request)) as events:
                async for event in events:
                    if self._state != "ready":
                        raise EngineFailed(_STOPPED)
                    yield event
                    said = True
        except CupolaError as error:
            error = self._hide_key(_name_broken(error))
            if said:  # else whoever tells the caller logs it
                _log.warning("%s: %s", self._upstream.endpoint, error)
            yield Failed(error)
        finally:
            self._busy -= 1

    async def _answer(self, request: Generation) -> AsyncGenerator[Event, None]:
        if self._client is None or self._state != "ready":
            raise EngineFailed(_STOPPED)
        if self._key_refused:
            self._read_key_again()
        body = write_body(request, self._upstream)
        headers = write_headers(body, self._key, self._upstream.dialect)
        headers |= write_trace(request.trace, self._upstream)
        path, missing = self._find_route(request)
        within = self._upstream.timeout
        reply = Reply(request)
        asked = self._client.stream("POST", path, encode_body(body), headers, within=within)
        async with asked as answer:
            if answer.status != 200:
                self._key_refused |= answer.status == 401  # the next request may bring a new one
                refusal = await _gather_refusal(answer)
                raise read_refusal(answer.status, refusal, answer.headers, missing=missing)
            request.tally.taken = True  # and how long the prompt is, it tells at the end, if at all
            if request.incremental:
                async with aclosing(_read_stream(answer, reply)) as events:
                    async for event in events:
                        yield event
            elif delta := reply.take(await _gather(answer)):
                yield delta
        for event in reply.end():
            yield event

    def _find_route(self, request: Generation) -> tuple[str, str]:
        """Where to ask, and what it means if nothing is there that could be."""
        target = self._upstream.target
        if request.conversation is not None:
            return target.chat, ""
        if request.completion is not None and request.completion.suffix is not None:
            return target.fill, "This model has no fill-in-the-middle."
        return target.text, "This model does not complete plain text."

    def _make_client(self) -> Client:
        try:
            return Client(self._upstream.target.address, keeps=HEADERS)
        except OSError as error:
            private = f"Its 'ca_file' cannot be used: {error}"
            raise Unavailable(FAILED, private=private) from None

    def _read_key_again(self) -> None:
        """The one before is remembered, for answers to requests that were sent with it."""
        key, self._key_refused = read_key(self._upstream.key), False
        if key != self._key:
            self._key, self._former_key = key, self._key

    def _hide_key(self, error: CupolaError) -> CupolaError:
        """Some services repeat the key that they refuse."""
        for key in (self._key, self._former_key):
            if key:
                error.public = error.public.replace(key, "[key]")
                error.private = error.private.replace(key, "[key]")
                error.args = (error.private or error.public,)
        return error


def _describe(upstream: Upstream) -> Profile:
    return Profile(
        context_length=upstream.context_length,
        chat_template="",
        bos_token="",
        eos_token="",
        control_tokens={},
        tool_calls_token=None,
        grammar=not upstream.features.isdisjoint((JSON, JSON_SCHEMA)),
        engine=NAME,
        capabilities=upstream.capabilities,
        takes_conversations=True,
    )


async def _read_stream(answer: Stream, reply: Reply) -> AsyncGenerator[Event, None]:
    """What a stream says, up to its end, or to where the connection breaks."""
    reader, size = EventReader(), 0
    try:
        async for data in answer:
            size += len(data)
            if size > _MOST_STREAM:
                raise EngineFailed(FAILED, private="The upstream's stream does not end.")
            for event in reader.receive(data):
                if event.data.strip() == _DONE:
                    await answer.finish(_LINGER)
                    return
                if (delta := _take(event, reply)) is not None:
                    yield delta
        for event in reader.end():
            if event.data.strip() != _DONE and (delta := _take(event, reply)) is not None:
                yield delta
    except Broken:
        if not reply.is_complete:
            raise


def _take(event: ServerEvent, reply: Reply) -> Delta | None:
    if event.name == "error":
        raise read_event_error(event.data)
    return reply.take(event.data)


async def _gather(answer: Stream) -> bytes:
    """The body of a reply that is read as a whole."""
    parts, size = [], 0
    async for part in answer:
        parts.append(part)
        size += len(part)
        if size > _MOST_REPLY:
            raise EngineFailed(FAILED, private="The upstream's reply is too long.")
    return b"".join(parts)


async def _gather_refusal(answer: Stream) -> bytes:
    """What came of a refusal's body: its status counts, whether the body has its end or not."""
    parts: list[bytes] = []
    with suppress(Broken):
        async for part in answer:
            parts.append(part)
            if sum(map(len, parts)) > _MOST_REFUSAL:
                break
    return b"".join(parts)


def _name_broken(error: CupolaError) -> CupolaError:
    """A connection's failure as an engine's.

    Another try may do better, but not after all the patience there was.
    """
    if isinstance(error, TimedOut):
        return Unavailable("The model's provider does not answer.", private=str(error))
    if isinstance(error, Broken):
        return EngineFailed(FAILED, private=str(error))
    return error


def _explain_start(error: CupolaError) -> CupolaError:
    if isinstance(error, Broken):
        public = "The model's provider cannot be reached."
        return Unavailable(public, private=f"{public} {error}")
    return error
