"""One HTTP/1.1 connection that we opened: a request goes out, its reply comes in, then the next.

    state   send   reply complete   bytes come      connection ends       release
    IDLE    BUSY   -                hang up         -                     -
    BUSY    -      DONE             -> the parser   the exchange fails    hang up: unread reply
    DONE    -      -                hang up         -                     IDLE, if kept alive

Built for speed: one parser and one timer a connection, one future a wait, no task, no copy of a
body that came in one piece, and no reply headers but the status (`HeadedConnection` keeps some).
Replies end by content-length or
by chunks; one that would end with its connection cannot be told from a cut one, and so is an error.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpResponseParser

from cupola.kit.errors import Unavailable


class Broken(Unavailable):
    """The other side hung up, or did not speak HTTP, before its reply was complete."""


class Unanswered(Broken):
    """The connection ended before a single byte of the reply: another one may do."""


class TimedOut(Broken):
    """No reply came within the time that the caller gave."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many bytes of a reply are taken before the other side is held to be broken."""

    head: int = 64 * 1024
    body: int = 64 * 1024 * 1024
    """Of a whole reply; a stream may be endless."""
    unread: int = 256 * 1024
    """A stream's body that nobody reads makes the other side wait beyond this."""


DEFAULT_BOUNDS = Bounds()


class Connection(asyncio.Protocol):
    """A connection and the exchange on it. One caller at a time; `Client` sees to that."""

    def __init__(self, bounds: Bounds = DEFAULT_BOUNDS) -> None:
        self._bounds = bounds
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._error: Broken | None = None
        self._busy = False
        self.headers: dict[str, str] = {}
        """Of the reply, if somebody wants any: by names in lower case."""
        self._begin(streamed=False)

    def _begin(self, *, streamed: bool) -> None:
        self._streamed = streamed
        self._status = 0
        self._done = False
        self._paused = False
        self._reusable = False
        self._received = 0
        self._size = 0
        self._parts: list[bytes] = []

    @property
    def is_open(self) -> bool:
        return self._error is None

    def send(self, request: bytes, *, streamed: bool) -> None:
        """Begin an exchange. `streamed`: the body is read while it comes."""
        self._begin(streamed=streamed)
        self._busy = True
        if self._transport is not None:
            self._transport.write(request)

    async def read_whole(self, within: float) -> tuple[int, bytes]:
        """Status and body of the reply, once it is complete."""
        if not self._done:
            await self._wait(within)
        return self._status, self._take()

    async def read_status(self, within: float) -> int:
        """The status, once the head of the reply has come."""
        while not self._status:
            await self._wait(within)
        return self._status

    async def read_part(self, within: float) -> bytes:
        """What came of the body since the last call, at least a byte of it; empty at its end."""
        while not self._parts and not self._done:
            await self._wait(within)
        return self._take()

    def read_rest(self) -> tuple[int, bytes]:
        """Status and what came of a body whose end nobody waits for; 0 and nothing before."""
        return self._status, self._take()

    def release(self) -> bool:
        """End the exchange; whether another may follow on this connection."""
        self._busy = False
        if self._reusable and self._error is None and not self._parts:
            return True
        self.abort()
        return False

    def abort(self) -> None:
        """Hang up at once, whatever is under way."""
        self._fail(Broken("The connection was closed."))

    async def _wait(self, within: float) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        self._deadline = self._loop.time() + within
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _set_timer(self) -> None:
        """One timer serves many waits: a stream has thousands, each with the same patience."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._set_timer()
        else:
            self._fail(TimedOut("No reply came in time."))

    def _take(self) -> bytes:
        parts, self._parts, self._size = self._parts, [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Broken) -> None:
        if self._error is not None:
            return
        self._error = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: aborting it is how a request is cancelled."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the `on_` methods below."""
        if self._done or not self._busy:
            self._fail(Broken("Bytes came that belong to no request."))
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(Broken("The reply is not HTTP.", private=f"The reply is not HTTP: {error}"))
        if not self._status and self._received > self._bounds.head:
            self._fail(Broken("The head of the reply is too long."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The exchange under way fails; an idle connection is no longer open."""
        lost = Broken if self._received else Unanswered
        self._fail(lost("The connection ended before the reply was complete."))
        self._transport = None

    # Called by httptools.

    def on_message_begin(self) -> None:
        """A second reply to one request: whatever follows it here is not ours."""
        if self._done:
            self._fail(Broken("More came than was asked for."))

    def on_headers_complete(self) -> None:
        """The status is known; 1xx are only announcements of it."""
        status = self._parser.get_status_code()
        if status >= 200 and not self._done:
            self._status = status
            if self._streamed:
                self._wake()

    def on_body(self, part: bytes) -> None:
        """Keep the part, within bounds."""
        if self._done:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._streamed:
            self._wake()
            self._pause_if_unread()
        elif self._size > self._bounds.body:
            self._fail(Broken("The reply is too long."))

    def on_message_complete(self) -> None:
        """The reply is complete, unless it was an announcement (1xx)."""
        if self._status:
            self._done = True
            self._reusable = self._parser.should_keep_alive()
            self._wake()

    def _pause_if_unread(self) -> None:
        if self._size > self._bounds.unread and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()


class HeadedConnection(Connection):
    """Keeps some of the reply's headers, too. Apart, so that engines' replies need not pay for it.

    Args:
        keeps: Names of headers, in lower case.
    """

    def __init__(self, bounds: Bounds, keeps: frozenset[str]) -> None:
        self._keeps = {name.encode() for name in keeps}
        super().__init__(bounds)

    def _begin(self, *, streamed: bool) -> None:
        super()._begin(streamed=streamed)
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep it, if it is wanted; of several of one name the last."""
        name = name.lower()
        if name in self._keeps:
            self.headers[name.decode()] = value.decode("latin-1").strip()
