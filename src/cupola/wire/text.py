"""The fields of a text completion, and of Mistral's fill-in-the-middle."""

from collections.abc import Mapping
from typing import Any

from cupola.kit.errors import Malformed
from cupola.wire import chat
from cupola.wire.canonical import TextRequest
from cupola.wire.fields import Field, Path, boolean, integer, neutral, text
from cupola.wire.request import read_request

MOST_PROMPTS = 16
_HIGHEST_ID = 2**31 - 1
_SHARED = (
    "model", "frequency_penalty", "presence_penalty", "temperature", "top_p", "max_tokens", "stop",
    "seed", "stream",
)  # fmt: skip


def read_prompts(value: Any, path: Path) -> tuple[str | tuple[int, ...], ...]:
    """A text, token ids, or a list of such."""
    if type(value) is str:
        return (value,)
    if type(value) is not list or not value:
        raise Malformed("Input should be a valid string or a non-empty list",
                        code="string_type", path=path, value=value)  # fmt: skip
    if type(value[0]) is int:
        return (_read_ids(value, path),)
    if len(value) > MOST_PROMPTS:
        raise Malformed(f"List should have at most {MOST_PROMPTS} prompts", code="too_long",
                        path=path)  # fmt: skip
    return tuple([_read_prompt(item, (*path, i)) for i, item in enumerate(value)])


def _read_prompt(value: Any, path: Path) -> str | tuple[int, ...]:
    return _read_ids(value, path) if type(value) is list else text(value, path)


def _read_ids(value: list[Any], path: Path) -> tuple[int, ...]:
    if not value:
        raise Malformed("List should have at least 1 item", code="too_short", path=path, value=[])
    read = integer(0, _HIGHEST_ID)
    return tuple([read(item, (*path, i)) for i, item in enumerate(value)])


def _read_one(value: Any, path: Path) -> tuple[str, ...]:
    return (text(value, path),)


_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}

FIELDS: Mapping[str, Field] = {
    **{name: chat.FIELDS[name] for name in _SHARED},
    "prompt": Field(
        "prompts",
        read_prompts,
        {
            "oneOf": [
                {"type": "string"},
                _IDS,
                {
                    "type": "array",
                    "items": {"oneOf": [{"type": "string"}, _IDS]},
                    "minItems": 1,
                    "maxItems": MOST_PROMPTS,
                },
            ]
        },
    ),
}
"""What the text completions of every dialect know."""

LEGACY: Mapping[str, Field] = {
    "echo": Field("echo", boolean, {"type": "boolean", "default": False}),
    "suffix": Field("", neutral(""), {"const": ""}),
}
"""What OpenAI's text completions know besides; a suffix is for fill-in-the-middle."""

FILL: Mapping[str, Field] = {
    **FIELDS,
    "prompt": Field("prompts", _read_one, {"type": "string"}),
    "suffix": Field("suffix", text, {"type": "string"}),
}
"""Mistral's fill-in-the-middle."""


def read_text(body: Mapping[str, Any], fields: Mapping[str, Field]) -> TextRequest:
    """The request that `body` is, every name of which `fields` must know."""
    return read_request(body, fields, TextRequest, "prompt")
