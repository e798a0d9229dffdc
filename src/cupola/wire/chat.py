"""The fields of a chat request that mean the same in every dialect."""

from collections.abc import Mapping
from typing import Any

from cupola.kit.errors import Malformed
from cupola.wire.canonical import ChatRequest
from cupola.wire.fields import (
    Field,
    Path,
    array,
    boolean,
    integer,
    mapping,
    number,
    text,
)
from cupola.wire.messages import read_messages
from cupola.wire.request import read_request
from cupola.wire.tools import CHOICES, read_response_format, read_tool_choice, read_tools

MOST_STOPS = 16
"""OpenAI allows 4; each costs the engine a search per token."""


def read_stop(value: Any, path: Path) -> tuple[str, ...]:
    """One string or several."""
    if type(value) is str:
        value = [value]
    stops = tuple([text(item, (*path, i)) for i, item in enumerate(array(value, path))])
    if "" in stops:
        raise Malformed("String should have at least 1 character", code="string_too_short",
                        path=(*path, stops.index("")), value="")  # fmt: skip
    if len(stops) > MOST_STOPS:
        raise Malformed(f"List should have at most {MOST_STOPS} items", code="too_long", path=path)
    return stops


def read_stream_options(value: Any, path: Path) -> bool:
    """OpenAI's `stream_options`: whether usage comes in a chunk of its own."""
    options = mapping(value, path)
    wanted = options.get("include_usage")
    return False if wanted is None else boolean(wanted, (*path, "include_usage"))


def _number(lowest: float, highest: float) -> dict[str, Any]:
    return {"type": "number", "minimum": lowest, "maximum": highest}


FIELDS: Mapping[str, Field] = {
    "messages": Field(
        "messages",
        read_messages,
        {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Message"}},
    ),
    "model": Field("model", text, {"type": "string"}),
    "frequency_penalty": Field("frequency_penalty", number(-2, 2), _number(-2, 2)),
    "presence_penalty": Field("presence_penalty", number(-2, 2), _number(-2, 2)),
    "temperature": Field("temperature", number(0, 2), _number(0, 2)),
    "top_p": Field("top_p", number(0, 1), _number(0, 1)),
    "max_tokens": Field("max_tokens", integer(0), {"type": "integer", "minimum": 0}),
    "stop": Field(
        "stop",
        read_stop,
        {
            "oneOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "maxItems": MOST_STOPS,
                },
            ]
        },
    ),
    "seed": Field("seed", integer(-(2**63)), {"type": "integer", "format": "int64"}),
    "stream": Field("stream", boolean, {"type": "boolean", "default": False}),
    "response_format": Field(
        "response_format",
        read_response_format,
        {"$ref": "#/components/schemas/ResponseFormat"},
    ),
    "tools": Field(
        "tools",
        read_tools,
        {"type": "array", "items": {"$ref": "#/components/schemas/Tool"}},
    ),
    "tool_choice": Field(
        "tool_choice",
        read_tool_choice,
        {
            "oneOf": [
                {"type": "string", "enum": list(CHOICES)},
                {"$ref": "#/components/schemas/NamedTool"},
            ]
        },
    ),
}
"""What every dialect knows, and an engine can do."""


def read_chat(body: Mapping[str, Any], fields: Mapping[str, Field]) -> ChatRequest:
    """The request that `body` is, every name of which `fields` must know."""
    return read_request(body, fields, ChatRequest, "messages")
