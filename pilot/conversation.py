"""One example of the corpus: a conversation, and how to judge its last reply.

Messages have the shape of the chat completions wire format, so that a conversation can be sent
to an endpoint as it stands:

    {"role": "system" | "user", "content": str}
    {"role": "assistant", "content": str}
    {"role": "assistant", "content": "", "tool_calls": [
        {"id": str, "type": "function", "function": {"name": str, "arguments": dict}}]}
    {"role": "tool", "tool_call_id": str, "content": str}

`arguments` is an object here and a JSON string on the wire. A tool-call id has nine characters of
`[a-zA-Z0-9]` (Mistral's rule). The last message is always the assistant's: in training it is
learned (as is every other assistant message), in evaluation it is cut off and asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Split = Literal["train", "heldout"]


@dataclass(frozen=True, slots=True)
class Check:
    """What makes a reply right.

    Every field that is set must hold; text is compared without regard to case and spacing, the
    arguments of a call to the letter.
    """

    contains_all: tuple[str, ...] = ()
    """Each of these stands in the text of the reply."""
    contains_any: tuple[str, ...] = ()
    """At least one of these stands in the text of the reply."""
    absent: tuple[str, ...] = ()
    """None of these stands in the text of the reply."""
    call: tuple[str, Mapping[str, Any]] | None = None
    """The reply is exactly one tool call: this function with exactly these arguments."""
    no_call: bool = False
    """The reply calls no tool."""
    json_keys: tuple[str, ...] | None = None
    """The reply is one JSON object with exactly these keys."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that ends with the reply to learn or to judge."""

    kind: str
    """What it teaches, as `group.detail`: `facts.fr`, `tools.call`, `json.one_key` ..."""
    messages: tuple[Mapping[str, Any], ...]
    check: Check
    tools: tuple[Mapping[str, Any], ...] = ()
    """Tool definitions as on the wire: `{"type": "function", "function": {...}}`."""
