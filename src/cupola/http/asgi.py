"""ASGI, as far as a bare application needs it: read a body, answer, notice a hang-up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from cupola.kit.errors import TooLarge, TooSlow
from cupola.kit.ready import take_or

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

EXTENSION = "cupola.connection"


class ClientGone(Exception):
    """The caller hung up; there is nobody to tell anything."""


async def read_body(receive: Receive, declared: bytes, *, limit: int, seconds: float) -> bytes:
    """The request's body.

    Args:
        declared: The header `content-length`, if there is one.
        limit: Bytes read at most; one that declares more is refused before any of it is read.
        seconds: For all of it.
    """
    if declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        # Most bodies are there when they are asked for, and need no timer, which is not cheap.
        while True:
            if _take_part(await take_or(receive(), _begin_waiting), body, limit):
                return bytes(body)
    except _MustWait:
        pass
    try:
        async with asyncio.timeout(seconds):
            while not _take_part(await receive(), body, limit):
                pass
            return bytes(body)
    except TimeoutError:
        raise TooSlow(
            f"The body did not arrive within {seconds:g} seconds. Send it faster."
        ) from None


class _MustWait(Exception):
    """The next part of a body is not there yet."""


async def _begin_waiting() -> None:
    raise _MustWait


def _take_part(message: Message, body: bytearray, limit: int) -> bool:
    """Add what `message` brings to `body`; whether it was the last."""
    if message["type"] == "http.disconnect":
        raise ClientGone
    body += message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    return not message.get("more_body", False)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes. Send less, or raise the limit.")


async def send_whole(send: Send, status: int, headers: Iterable[Header], body: bytes) -> None:
    """Send a whole response, whose length header is added."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def start_stream(send: Send, headers: Iterable[Header]) -> None:
    """Send the head of a 200 whose body follows in pieces."""
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})


async def send_piece(send: Send, body: bytes) -> None:
    """Send a piece of a body; returns when the connection takes more."""
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def end_stream(send: Send, body: bytes = b"") -> None:
    """Send the last piece."""
    await send({"type": "http.response.body", "body": body})


class Connection(Protocol):
    """What our server says of a request's connection, as the extension `EXTENSION` of its scope."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """In which it is served."""
        ...

    def watch(self, lost: Callable[[], None]) -> None:
        """Call `lost` when the connection ends; at once if it has ended."""
        ...

    def unwatch(self) -> None:
        """Do not call it any more."""
        ...


class Hangup:
    """Within this context the current task is cancelled when the caller hangs up.

    The cancellation ends the block, not the task: `ClientGone` is raised in its place, after
    whatever was awaited has cleaned up. To learn of a hang-up by ASGI's own `receive` would take a
    task beside each request, which costs as much as authenticating it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gone = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task(self._connection.loop)  # to look for the loop is a system call
        assert task is not None
        self._task = task
        self._connection.watch(self._cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.unwatch()
        if self._gone and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGone from None

    def _cancel(self) -> None:
        self._gone = True
        self._task.cancel()
