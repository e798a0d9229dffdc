"""An endpoint that says what the test wrote down, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Event = dict[str, Any]


def say(*words: str) -> list[Event]:
    """The events of a reply in text."""
    events: list[Event] = [{"choices": [{"delta": {"content": word}}]} for word in words]
    return [*events, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]


def call(name: str, arguments: dict[str, str]) -> list[Event]:
    """The events of a reply that calls a function."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    made = {"id": "abcdefghi", "type": "function", "function": function}
    return [{"choices": [{"delta": {"tool_calls": [made]}, "finish_reason": "tool_calls"}]}]


class Canned(ThreadingHTTPServer):
    """One reply for each request, in order; a reply that is a str is an error's message."""

    daemon_threads = True

    def __init__(self, replies: Sequence[list[Event] | str]) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.replies = list(replies)
        self.bodies: list[dict[str, Any]] = []
        self.target_uri = f"http://127.0.0.1:{self.server_port}/endpoints/pilot"


class _Exchange(BaseHTTPRequestHandler):
    server: Canned

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.server.bodies.append(json.loads(self.rfile.read(length)))
        reply = self.server.replies.pop(0)
        self.send_response(400 if isinstance(reply, str) else 200)
        self.end_headers()
        if isinstance(reply, str):
            self.wfile.write(json.dumps({"error": {"code": "x", "message": reply}}).encode())
            return
        for event in reply:
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def canned(*replies: list[Event] | str) -> Iterator[Canned]:
    """Serve `replies` while the block runs."""
    with Canned(replies) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
