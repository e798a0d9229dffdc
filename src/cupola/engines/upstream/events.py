"""Server-sent events, read as any server may write them. No I/O.

What we write is the strictest form; what we read is the whole grammar, as far as anybody uses it:
line ends of either kind, comments, no space after the colon, several data lines, names of events.
"""

from typing import Final, NamedTuple

from cupola.kit.errors import EngineFailed

MAX_EVENT: Final = 4 * 1024 * 1024
"""Bytes of one event; a chunk takes some hundred, and a whole tool call some thousand."""


class ServerEvent(NamedTuple):
    """One event."""

    name: str
    """Empty unless the server names it, as in `event: error`."""
    data: bytes


class EventReader:
    """Bytes as they come -> events."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def receive(self, data: bytes) -> list[ServerEvent]:
        """The events that `data` completes. Raises: EngineFailed, if one is too long."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) + self._size > MAX_EVENT:
            raise EngineFailed(
                "The model's provider failed while answering.",
                private="An event of the upstream's stream is too long.",
            )
        events = [self._read(line.removesuffix(b"\r")) for line in lines]
        return [event for event in events if event is not None]

    def end(self) -> list[ServerEvent]:
        """The event that the stream's end completes, if any: some servers save the last line."""
        events = self.receive(b"\n\n")
        self._rest = b""
        return events

    def _read(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace").strip()
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data = self._name, self._data
        self._name, self._data, self._size = "", [], 0
        return ServerEvent(name, b"\n".join(data)) if data else None
