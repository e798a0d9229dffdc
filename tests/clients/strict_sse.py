"""A reader of streams that is as strict as the strictest client: the C# one.

It uses nothing of Cupola, so it can judge Cupola. Section by section it was written from that
client's source; no .NET is needed to run it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any


class BrokenStreamError(Exception):
    """What the C# client answers with an exception, or by never coming back."""


def read_events(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event up to `[DONE]`; `lines` have their line ends still on them.

    An event is one `data` field and an empty line. A comment is passed over if it stands alone.
    Two fields in one event, or a field of another name, are exceptions; without `[DONE]` the
    reader would wait for ever.
    """
    fields: list[str] = []
    for line in lines:
        text = line.rstrip("\r\n")
        if text:
            fields += [] if text.startswith(":") else [text]
            continue
        if not fields:
            continue
        data = _only_data(fields)
        fields = []
        if data == "[DONE]":
            return
        yield data
    raise BrokenStreamError("The stream ended without [DONE].")


def _only_data(fields: list[str]) -> str:
    if len(fields) > 1:
        raise BrokenStreamError(f"An event with {len(fields)} fields: {fields}")
    name, _, value = fields[0].partition(":")
    if name != "data":
        raise BrokenStreamError(f"A field named {name!r}.")
    return value.removeprefix(" ")


def read_update(data: str) -> dict[str, Any]:
    """One chunk, with the conversions that the C# client does without asking first."""
    update: dict[str, Any] = json.loads(data)
    if not isinstance(update["created"], int):
        raise BrokenStreamError(f"`created` is not an integer: {update['created']}")
    for choice in update["choices"]:
        _check_delta(choice["delta"])
    return update


def _check_delta(delta: dict[str, Any]) -> None:
    """A role must be text, and calls a list, once their keys are there at all."""
    if not isinstance(delta.get("role", ""), str):
        raise BrokenStreamError(f"`role` is not text: {delta}")
    if not isinstance(delta.get("content", ""), str | None):
        raise BrokenStreamError(f"`content` is not text: {delta}")
    if not isinstance(delta.get("tool_calls", []), list):
        raise BrokenStreamError(f"`tool_calls` is not a list: {delta}")
