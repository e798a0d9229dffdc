"""What upstreams say, whole or in chunks, as far as it is read; the rest is passed over.

One set of types serves all dialects, whole replies, chunks, chat and text, because servers mix
them: a key may be missing, null, or of another dialect's form, and only what is used must be right.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

_NULL = Raw(b"null")


class Function(Struct):
    """The function of a call, or a piece of it. Mistral's may have an object for arguments."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallPiece(Struct):
    """A call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Said(Struct):
    """A message or a delta. Content may come in parts, of which only text is said to callers."""

    content: str | list[Any] | None = None
    refusal: str | None = None
    tool_calls: list[CallPiece] | None = None


class Choice(Struct):
    """One answer, or a piece of it."""

    message: Said | None = None
    delta: Said | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Raw = _NULL


class PromptDetails(Struct):
    """More of the prompt's tokens."""

    cached_tokens: int | None = None


class Counts(Struct):
    """Usage."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None

    @property
    def cached(self) -> int:
        """Of the prompt's tokens those that were read before, as far as told; never more."""
        told = self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens
        return min(max(0, told or 0), self.prompt_tokens or 0)


class Chunk(Struct):
    """A whole reply, or a chunk of a stream."""

    choices: list[Choice] | None = None
    usage: Counts | None = None
    error: Raw = _NULL
    object: str | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode


def is_null(value: Raw) -> bool:
    """Whether it is absent or null."""
    return bytes(value) == b"null"


def read_text(choice: Choice) -> str:
    """What the choice says."""
    said = choice.message or choice.delta
    if said is None:
        return choice.text or ""
    content = said.content
    if isinstance(content, list):
        content = "".join([_read_part(part) for part in content])
    return content or said.refusal or ""


def _read_part(part: Any) -> str:
    """The text of a part; thoughts, references and the like are no part of the answer."""
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    return ""
