"""Replies that are certain to be long, whatever the model has learnt: their schema demands it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.robustness.bad_requests import chat
from tests.robustness.raw_http import connect, request
from tests.running import Running


def long_reply(*, characters: int, stream: bool) -> bytes:
    """A request for a JSON object with a text of at least so many characters."""
    text = {"type": "string", "minLength": characters, "maxLength": characters + 20}
    schema = {
        "type": "object",
        "properties": {"text": text},
        "required": ["text"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "long", "schema": schema}}
    return chat(response_format=wanted, stream=stream, max_tokens=1800, temperature=1)


@dataclass(frozen=True)
class Streamed:
    """A stream as it was read to its end."""

    status: int
    events: tuple[str, ...]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    @property
    def text(self) -> str:
        return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in self.chunks)

    @property
    def finish_reason(self) -> str | None:
        """Of the last chunk."""
        reason: str | None = self.chunks[-1]["choices"][0]["finish_reason"]
        return reason


def read_stream(running: Running, body: bytes) -> Iterator[str]:
    """The status line, then each event as it comes."""
    with connect(running) as connection:
        connection.sendall(request(running, body, headers={"Connection": "close"}))
        with connection.makefile("rb") as lines:
            yield next(lines).decode().split()[1]
            for line in lines:
                if line.startswith(b"data: "):
                    yield line[6:].strip().decode()
