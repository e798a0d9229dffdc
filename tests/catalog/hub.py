"""A hub on this machine: the routes that huggingface_hub asks, and every way in which they fail."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repository:
    """What is published under a name."""

    files: dict[str, bytes]
    gated: bool = False
    allowed: frozenset[str] = frozenset()
    """Tokens whose accounts have accepted the licence."""
    private: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    """More of what the hub says of it: `gguf`, `cardData`."""
    claimed: dict[str, str] = field(default_factory=dict)
    """Checksums that are told instead of the true ones."""


@dataclass
class Hub:
    """A running hub; tests change it while it runs."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next transfers of weights end."""
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers, whatever is asked."""
    bodies: list[bytes] = field(default_factory=list)
    """The next answers to questions about a repository, instead of the right ones."""
    weights_host: str = ""
    """Another name of this machine that redirects lead to, as to a content network."""
    weights_tokens: set[str] = field(default_factory=set)
    """Tokens that came to where the weights are."""
    rate: float = float("inf")
    """Bytes of weights a second."""
    granted: int | None = None
    """Bytes of weights that may have been sent so far; None: all."""
    ranges: bool = True
    """Whether transfers can begin in the middle."""
    stuck: bool = False
    """Whether transfers stop half-way, and hold on to the connection."""
    silent: bool = False
    """Whether questions about a repository are not answered."""
    garbled: bool = False
    """Whether transfers bring other bytes than those published."""
    asked: list[str] = field(default_factory=list)
    """Each request: method, path, and the range if there is one."""
    tokens: set[str] = field(default_factory=set)
    sent: int = 0
    """Bytes of weights."""
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def room(self) -> float:
        """Bytes of weights that may be sent now."""
        return float("inf") if self.granted is None else self.granted - self.sent

    def count(self, *texts: str) -> int:
        """Requests whose line has all of `texts`."""
        return sum(all(text in line for text in texts) for line in self.asked)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that listens on this machine while the block runs."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        hub.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.hub = hub
    return Handler


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests read `asked`."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        hub = self.hub
        hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if token := self.headers.get("Authorization", "").removeprefix("Bearer "):
            hub.tokens.add(token)
        if hub.statuses:
            self._refuse(hub.statuses.pop(0))
        elif path.startswith("/api/models/"):
            self._describe(path.removeprefix("/api/models/"))
        elif path.startswith("/cdn/"):
            self.hub.weights_tokens |= {token} if token else set()
            self._send_weights(path.removeprefix("/cdn/"))
        else:
            self._resolve(path.removeprefix("/"))

    def _describe(self, path: str) -> None:
        name, _, revision = path.partition("/revision/")
        repository = self._find(name)
        if self.hub.silent:
            self.hub.stopping.wait(30)
        if self.hub.bodies:
            self._send(200, self.hub.bodies.pop(0), {"Content-Type": "application/json"})
        elif repository is None:
            self._refuse(401, "RepoNotFound")
        elif revision not in ("", "main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        else:
            self._send_json(
                {
                    "id": name,
                    "sha": COMMIT,
                    "gated": "manual" if repository.gated else False,
                    "tags": [],
                    "siblings": [
                        _sibling(file, data, repository.claimed.get(file))
                        for file, data in repository.files.items()
                    ],
                    **repository.details,
                }
            )

    def _resolve(self, path: str) -> None:
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        repository = self._find(name)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository is None:
            self._refuse(401, "RepoNotFound")
        elif repository.gated and token not in repository.allowed:
            self._refuse(403 if token else 401, "GatedRepo")
        elif revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        elif file not in repository.files:
            self._refuse(404, "EntryNotFound")
        elif _is_large(file):  # as the real one, which keeps large files elsewhere
            self.send_response(302)
            self._end(
                {
                    "Location": f"{self.hub.weights_host}/cdn/{name}/{file}",
                    "X-Repo-Commit": COMMIT,
                }
            )
        else:
            self._send(200, repository.files[file], {"X-Repo-Commit": COMMIT})

    def _find(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        return None if repository is None or repository.private else repository

    def _send_weights(self, path: str) -> None:
        hub = self.hub
        owner, name, file = path.split("/", 2)
        data = hub.repositories[f"{owner}/{name}"].files[file]
        data = bytes(len(data)) if hub.garbled else data
        begin = 0
        if hub.ranges and (asked := self.headers.get("Range", "")):
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        rest = data[begin:]
        self.send_response(206 if begin else 200)
        headers = {"Content-Length": str(len(rest)), "ETag": f'"{_sha256(data)}"'}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        self._end(headers)
        if self.command == "GET":
            self._trickle(rest)

    def _trickle(self, data: bytes) -> None:
        hub = self.hub
        end = hub.cuts.pop(0) if hub.cuts else len(data)
        end = len(data) // 2 if hub.stuck else end
        begin = 0
        while begin < min(end, len(data)):
            step = max(1, min(len(data), int(hub.rate / 50) if hub.rate < 1e12 else len(data)))
            chunk = data[begin : int(min(begin + step, end, begin + max(0, hub.room)))]
            self.wfile.write(chunk)
            hub.sent += len(chunk)
            begin += len(chunk)
            if (hub.rate < 1e12 or hub.granted is not None) and hub.stopping.wait(0.02):
                break
        if hub.stuck:
            hub.stopping.wait(30)
        if end < len(data):
            self.close_connection = True

    def _send_json(self, body: object) -> None:
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code} if code else {}
        self._send(status, b"{}", headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self._end({"Content-Length": str(len(body)), **headers})
        if self.command == "GET":
            self.wfile.write(body)

    def _end(self, headers: Mapping[str, str]) -> None:
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            time.sleep(0)  # who asked has gone


def _sibling(name: str, data: bytes, claimed: str | None) -> Mapping[str, Any]:
    git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    sibling: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": git}
    if _is_large(name):
        sha256 = claimed or _sha256(data)
        sibling["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
    return sibling


def _is_large(name: str) -> bool:
    return name.endswith((".gguf", ".safetensors"))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
