"""A closed-loop load generator: so many connections, each with one request under way.

It parses no more of HTTP than it needs to know where a reply ends, so that it is never what is
being measured.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import cast


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send what. `address` is a path (Unix socket) or (host, port)."""

    address: str | tuple[str, int]
    request: bytes
    """The whole request, head and body."""


@dataclass(slots=True)
class Figures:
    """What came of one round."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds from the first byte sent to the last received, one per reply."""
    first_bytes: list[float] = field(default_factory=list)
    """Seconds to the first byte of the body."""
    events: int = 0
    """SSE events received."""
    errors: int = 0
    window: tuple[float, float] = (0.0, 0.0)
    """Between these times (`perf_counter`) arriving events are counted, whole replies or not."""
    in_window: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    def p50_ms(self) -> float:
        return median(self.latencies) * 1000

    def p99_ms(self) -> float:
        return quantiles(self.latencies, n=100)[98] * 1000 if len(self.latencies) > 1 else 0.0


_LAST_CHUNK = b"\r\n0\r\n\r\n"
"""With what stands before it: a head may end with `max=100` and an empty line."""


class _Connection(asyncio.Protocol):
    """Sends its request again as soon as the reply to the last has ended."""

    def __init__(self, target: Target, figures: Figures, until: Callable[[], bool]) -> None:
        self._request = target.request
        self._figures = figures
        self._go_on = until
        self._buffer = bytearray()
        self._need = -1
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        self._buffer.clear()
        self._need = -1
        self._first = 0.0
        self._started = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        begin, end = self._figures.window
        if end and begin <= time.perf_counter() < end:
            self._figures.in_window += data.count(b"data: ")
        if self._need < 0 and not self._read_head():
            return
        if not self._first:
            self._first = time.perf_counter()
        if self._ended():
            self._count()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        self._status = head[9:12]
        mark = head.find(b"content-length:")
        line = head[mark + 15 :].split(b"\r\n", 1)[0]
        self._need = end + 4 + int(line) if mark >= 0 else 0  # 0: chunked
        return True

    def _ended(self) -> bool:
        if self._need:
            return len(self._buffer) >= self._need
        return self._buffer.endswith(_LAST_CHUNK)

    def _count(self) -> None:
        now = time.perf_counter()
        figures = self._figures
        figures.latencies.append(now - self._started)
        figures.first_bytes.append(self._first - self._started)
        if not self._need:
            figures.events += self._buffer.count(b"data: ")
        if self._status != b"200":
            figures.errors += 1
        if self._go_on():
            self._send()
        else:
            self._transport.close()


async def measure(target: Target, *, clients: int, seconds: float, warm_up: float = 0.0) -> Figures:
    """Let `clients` connections ask `target` again and again for `seconds`.

    With `warm_up`, events are also counted in the `seconds` after it, wherever replies begin and
    end: what streams many at once give when none of them has just begun.
    """
    loop = asyncio.get_running_loop()
    figures = Figures()
    started = time.perf_counter()
    until = started + warm_up + seconds
    if warm_up:
        figures.window = (started + warm_up, until)

    def connection() -> _Connection:
        return _Connection(target, figures, lambda: time.perf_counter() < until)

    async def ask() -> None:
        """One client; llama.cpp hangs up after a stream, so it connects as often as it must."""
        while time.perf_counter() < until:
            if isinstance(target.address, str):
                _, protocol = await loop.create_unix_connection(connection, target.address)
            else:
                _, protocol = await loop.create_connection(connection, *target.address)
            await asyncio.wait([protocol.closed], timeout=seconds + 60)

    await asyncio.gather(*[ask() for _ in range(clients)])
    figures.seconds = time.perf_counter() - started
    return figures


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: bench",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
