"""A conversation with an endpoint over HTTP: what was said, and one streamed turn at a time.

It speaks the API as any client would. The standard library's client is enough for one person.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from cupola.http.trust import pin
from cupola.kit.errors import CupolaError

Message: TypeAlias = dict[str, Any]

_PATIENCE = 120.0
"""Seconds without a byte after which a reply is given up."""


class TurnFailed(CupolaError):
    """The endpoint refused or broke off a reply. Said to the person who chats."""


@dataclass
class Reply:
    """What has come of one reply so far."""

    text: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str = ""

    def as_message(self) -> Message:
        message: Message = {"role": "assistant", "content": self.text}
        return message | ({"tool_calls": self.calls} if self.calls else {})


class Conversation:
    """Messages so far, and how to have the next one."""

    def __init__(self, target_uri: str, key: str, certificate: str | None = None) -> None:
        self._uri = target_uri
        self._certificate = certificate
        self._key = key
        self.system = ""
        self.request = ""
        """Said with the system message, for what an option alone does not ask for."""
        self.messages: list[Message] = []

    def stream(self, reply: Reply, options: dict[str, Any]) -> Generator[str, None, None]:
        """Ask for the next message; yields its text as it comes and fills `reply`.

        Closing the iterator hangs up, and the endpoint stops generating.

        Raises:
            TurnFailed: the endpoint says so, or is gone.
        """
        said = " ".join(part for part in (self.system, self.request) if part)
        system = [{"role": "system", "content": said}] if said else []
        body = {"messages": [*system, *self.messages], "stream": True, **options}
        with self._post(body) as response:
            for event in _read_events(response):
                yield _take(event, reply)
        if not reply.finish_reason:
            raise TurnFailed("The reply broke off.")

    @contextmanager
    def _post(self, body: dict[str, Any]) -> Iterator[HTTPResponse]:
        connection = connect(self._uri, self._certificate, _PATIENCE)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            path = f"{urlsplit(self._uri).path}/chat/completions"
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                raise TurnFailed(_find_message(response.read()))
            yield response
        except (OSError, HTTPException) as error:
            raise TurnFailed(f"The endpoint does not answer ({error}).") from error
        finally:
            connection.close()


def connect(url: str, certificate: str | None, timeout: float) -> HTTPConnection:
    """A connection to the server of `url`, which over TLS must show `certificate`."""
    address = urlsplit(url)
    host = str(address.hostname)
    if certificate is None:
        return HTTPConnection(host, address.port, timeout=timeout)
    return HTTPSConnection(host, address.port, timeout=timeout, context=pin(certificate))


def _read_events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON of each `data:` line, up to `[DONE]`."""
    for line in response:
        data = line.removeprefix(b"data: ").strip()
        if data == b"[DONE]":
            return
        if data:
            yield json.loads(data)


def _take(event: dict[str, Any], reply: Reply) -> str:
    """Add what `event` brings to `reply`; its text."""
    if "choices" not in event:
        raise TurnFailed(_find_message(json.dumps(event).encode()))
    text = ""
    for choice in event["choices"]:
        delta = choice.get("delta", {})
        text += delta.get("content") or ""
        reply.calls += delta.get("tool_calls") or []
        reply.finish_reason = choice.get("finish_reason") or reply.finish_reason
    reply.text += text
    return text


def _find_message(body: bytes) -> str:
    """The sentence for people in an error's body, whichever of the API's forms it has."""
    try:
        error = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:500]
    inner = error.get("error", error)
    found = inner.get("message") if isinstance(inner, dict) else inner
    return str(found or body.decode(errors="replace")[:500])
