"""The management API of a running server, as a program with some token sees it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE, wait_until
from tests.running import find_processes


class Refused(Exception):
    """The server said no, and so did nothing."""


class Api:
    """One server."""

    def __init__(self, url: str, home: Path, token: str = "") -> None:
        self._root = url
        self._token = token or (home / "run" / "console.token").read_text().strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Raises: Refused; OSError if the server is gone."""
        written = None if body is None else json.dumps(body).encode()
        text = self._send(method, f"/management/v1{path}", written)
        return json.loads(text) if text else None

    def list(self, path: str) -> Iterator[Any]:
        """Every item, page by page."""
        cursor = ""
        while cursor is not None:
            page = self.ask("GET", f"{path}?limit=200{f'&cursor={cursor}' if cursor else ''}")
            yield from page["items"]
            cursor = page["next"]

    def read_lines(self, path: str) -> Sequence[Any]:
        """An export, as lines of JSON."""
        lines = self._send("GET", f"/management/v1{path}").splitlines()
        return [json.loads(line) for line in lines]

    def read_metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = map(str.split, self._send("GET", "/metrics").decode().splitlines())
        return sum(float(words[-1]) for words in lines if words[0].split("{")[0] == name)

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._root}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                text: bytes = reply.read()
                return text
        except urllib.error.HTTPError as error:
            message = f"{method} {path}: {error.code} {error.read().decode()}"
            if error.code >= 500:
                raise AssertionError(message) from error
            raise Refused(message) from error


def expect_none_left(group: int) -> None:
    """Engines end with the server; the kernel may take a moment to say so."""
    if not wait_until(lambda: not find_processes(group)):
        raise AssertionError(f"Processes were left: {find_processes(group)}")
