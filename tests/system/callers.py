"""Many callers at once, and what each knows of its requests, whatever ends in the middle of them.

What a caller asks for is drawn at random: whole replies and streams, in two dialects, of prompts of
several lengths; one in a few hangs up before the end.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

from cupola.kit.clock import SystemClock

TEXTS: Final = ("Hello", "What is Cupola? " * 12, "Tell me of domes, arches and vaults. " * 60)
_LONGEST: Final = 48
"""Tokens of a reply."""
_PATIENCE: Final = 300.0
_PAUSE: Final = 0.05
"""Seconds before a caller looks again for a server that is gone."""
_SCHEMA: Final = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 200}},
    "required": ["text"],
    "additionalProperties": False,
}
"""A reply that is as long as it may be."""

_clock: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request asks for."""

    text: int
    """Which of `TEXTS`."""
    stream: bool
    openai: bool
    long: bool
    answers: int
    most: int
    """Tokens of each answer."""
    leaves: float | None = None
    """When the caller hangs up: after so many pieces of a stream, or seconds; None: never."""

    @property
    def prompt(self) -> tuple[int, bool]:
        """Requests that have this in common have the same prompt."""
        return (self.text, self.long)

    @property
    def path(self) -> str:
        return "/v1/chat/completions" if self.openai else "/chat/completions"

    def write(self) -> bytes:
        fields: dict[str, Any] = {
            "messages": [{"role": "user", "content": TEXTS[self.text]}],
            "max_tokens": self.most,
            "temperature": 1,
            "stream": self.stream,
        }
        if self.answers > 1:
            fields["n"] = self.answers
        if self.stream and self.openai:
            fields["stream_options"] = {"include_usage": True}
        if self.long:
            schema = {"name": "long", "schema": _SCHEMA}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        return json.dumps(fields).encode()


@dataclass(slots=True)
class Note:
    """What the caller knows of it."""

    wish: Wish
    sent: float
    over: float = 0.0
    id: str = ""
    """As the reply's head says; empty: no head came."""
    status: int = 0
    pieces: int = 0
    """Of text, of a stream."""
    finishes: set[str] = field(default_factory=set)
    """As the reply's choices say."""
    usage: tuple[int, int] | None = None
    complete: bool = False
    """The reply's last byte was read."""
    left: bool = False
    """The caller hung up."""


def draw(chance: random.Random) -> Wish:
    """A request."""
    stream, openai = chance.random() < 0.6, chance.random() < 0.4
    leaves = None
    if chance.random() < 0.2:
        leaves = chance.randrange(8) if stream else chance.uniform(0.0, 0.3)
    return Wish(
        text=chance.choices(range(len(TEXTS)), (6, 3, 1))[0],
        stream=stream,
        openai=openai,
        long=chance.random() < 0.5,
        answers=2 if openai and not stream and chance.random() < 0.3 else 1,
        most=chance.randint(1, _LONGEST),
        leaves=leaves,
    )


@dataclass
class Place:
    """Where the server is now; no URL while it is known to be gone."""

    key: str
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    """Nobody shall send anything more."""


class Caller(threading.Thread):
    """Sends one request after the other until it is told to end."""

    def __init__(self, place: Place, seed: int) -> None:
        super().__init__(daemon=True)
        self.notes: list[Note] = []
        self._place = place
        self._random = random.Random(seed)

    def run(self) -> None:
        while not self._place.over.is_set():
            url = self._place.url
            if not url or not self.send(url, draw(self._random)):
                time.sleep(_PAUSE)

    @property
    def complete(self) -> int:
        """Replies read to their end."""
        return sum(1 for note in self.notes if note.complete)

    def send(self, url: str, wish: Wish) -> bool:
        """Whether there was a server to send it to."""
        address = urlsplit(url)
        connection = HTTPConnection(str(address.hostname), int(address.port or 0))
        connection.timeout = _PATIENCE
        try:
            connection.connect()
        except OSError:
            return False
        note = Note(wish, _clock.now())
        self.notes.append(note)
        try:
            ask(connection, self._place.key, note)
        except (OSError, HTTPException):
            pass  # it was killed; what had come is noted
        finally:
            connection.close()
            note.over = _clock.now()
        return True


def ask(connection: HTTPConnection, key: str, note: Note) -> None:
    """Send it and read what comes. Raises: OSError and HTTPException, where it breaks off."""
    wish = note.wish
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", f"/endpoints/pilot{wish.path}", wish.write(), headers)
    if wish.leaves is not None and not wish.stream:
        assert isinstance(connection.sock, socket.socket)
        connection.sock.settimeout(max(0.001, wish.leaves))
    try:
        reply = connection.getresponse()
        note.id, note.status = reply.headers["x-request-id"], reply.status
        if wish.stream and reply.status == 200:
            _read_stream(reply, note)
        else:
            _read_whole(reply, note)
    except TimeoutError:
        note.left = True


def _read_whole(reply: HTTPResponse, note: Note) -> None:
    body = json.loads(reply.read())
    note.complete = True
    if reply.status == 200:
        note.usage = _read_usage(body)
        note.finishes = {choice["finish_reason"] for choice in body["choices"]}


def _read_stream(reply: HTTPResponse, note: Note) -> None:
    if note.wish.leaves == 0:
        note.left = True
        return
    for line in _read_events(reply):
        if line == b"[DONE]":
            note.complete = True
            return
        chunk = json.loads(line)
        if chunk.get("usage"):
            note.usage = _read_usage(chunk)
        for choice in chunk["choices"]:
            note.pieces += bool(choice["delta"].get("content"))
            note.finishes |= {choice["finish_reason"]} - {None}
        if note.wish.leaves is not None and note.pieces >= note.wish.leaves:
            note.left = True
            return


def _read_events(reply: HTTPResponse) -> Iterator[bytes]:
    for line in reply:
        if line.startswith(b"data: ") and line.endswith(b"\n"):  # else it was cut
            yield line[6:].strip()


def _read_usage(body: dict[str, Any]) -> tuple[int, int]:
    usage = body["usage"]
    return usage["prompt_tokens"], usage["completion_tokens"]
