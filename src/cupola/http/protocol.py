"""uvicorn's HTTP protocol, with the bounds and the notice of a hang-up that it lacks.

Without bounds one connection could fill the memory with a header that never ends, or hold its place
for ever by sending a byte now and then, or by reading nothing of its reply. Bodies are bounded
where they are read (`asgi.read_body`). A head that comes in one piece, as nearly all do, costs one
addition per header.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cupola.http.asgi import EXTENSION

MAX_HEAD: Final = 32 * 1024
"""Bytes; twice what the more generous of the usual servers take."""
HEAD_SECONDS: Final = 10.0
"""For the whole head to arrive, and for a new connection to begin with one."""
STALL_SECONDS: Final = 60.0
"""For a caller to read enough of a reply that more can be written."""


class _Refused(Exception):
    """Ends the parsing of a request that has been answered already."""


class Gathering:
    """A transport on which the head of a reply leaves together with the first piece of its body.

    uvicorn writes one after the other: two system calls, two packets.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send `data`; what looks like a head waits for what follows, at most for this turn."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            if not self.is_closing():
                self._transport.write(head)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `_unfinished` counts the bytes of a head that is still coming in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._unfinished = 0
        self._arrived = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._lost: Callable[[], None] | None = None
        self._extensions = {EXTENSION: self}

    def watch(self, lost: Callable[[], None]) -> None:
        """Call `lost` when the connection ends; at once if it has ended."""
        if self.transport.is_closing():
            lost()
        else:
            self._lost = lost

    def unwatch(self) -> None:
        """Do not call it any more."""
        self._lost = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # theirs
        super().connection_made(transport)
        self.transport = Gathering(transport, self.loop)  # type: ignore[assignment]
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._end_stall()
        super().connection_lost(exc)
        if self._lost is not None:
            self._lost()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._end_stall()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        self._arrived = len(data)
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._unfinished += len(data)
        if self._unfinished > MAX_HEAD:
            self._refuse_large()
        elif self._deadline is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        may_be_large = self._unfinished + self._arrived > MAX_HEAD
        self._end_head()
        if may_be_large and self._measure_head() > MAX_HEAD:
            self._refuse_large()
            raise _Refused
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, "This is not an HTTP/1.1 request.")

    def _measure_head(self) -> int:
        return len(self.url) + sum([len(name) + len(text) for name, text in self.headers])

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._refuse_slow)

    def _end_head(self) -> None:
        self._in_head = False
        self._unfinished = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _refuse_large(self) -> None:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._refuse(status, f"The request's head is larger than {MAX_HEAD} bytes. Send less.")

    def _refuse_slow(self) -> None:
        if self._unfinished:
            text = f"The request's head did not arrive within {HEAD_SECONDS:g} seconds."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, text)
        else:
            self.transport.close()  # a connection made in advance, and not needed

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer in plain text, since no dialect is known yet, and hang up."""
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain\r\n"
            f"content-length: {len(text)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + text).encode("ascii"))
        self.transport.close()
