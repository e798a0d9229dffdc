"""HTTP by hand: any bytes out, one answer in. Real clients refuse to misbehave as tests must."""

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.patience import PATIENCE
from tests.running import Running


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 means that the connection was closed without a word."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


CLOSED = Answer(0)


def connect(running: Running, patience: float = PATIENCE) -> socket.socket:
    """A fresh connection to the server."""
    return socket.create_connection(("127.0.0.1", running.port), timeout=patience)


def exchange(
    running: Running, pieces: Iterable[bytes], *, end: bool = False, patience: float = PATIENCE
) -> Answer:
    """Send `pieces` one by one, then read one answer; with `end`, say first that no more comes."""
    with connect(running, patience) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before we had finished: the answer is there to be read
        return read(connection)


def read(connection: socket.socket, method: str = "POST") -> Answer:
    """One answer from `connection`; `CLOSED` if there is none."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        return Answer(response.status, dict(response.headers.items()), response.read())
    except (http.client.BadStatusLine, ConnectionResetError):
        return CLOSED
    finally:
        response.close()


def head(
    running: Running,
    path: str = "/chat/completions",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request's head with the right key, for a path below the endpoint."""
    lines = {"Host": "localhost", "Authorization": f"Bearer {running.key}", **(headers or {})}
    target = endpoint_path(running) + path
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")


def request(
    running: Running,
    body: bytes,
    path: str = "/chat/completions",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A whole request with the right key and an honest Content-Length."""
    length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return head(running, path, method=method, headers={**length, **(headers or {})}) + body


def endpoint_path(running: Running) -> str:
    """`/endpoints/NAME`."""
    return running.target_uri.removeprefix(running.url)
