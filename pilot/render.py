"""The text the model reads and writes: Mistral's v3 chat layout, character for character.

The model is small and the layout is nearly all it knows of the world outside its corpus, so a
space or a line break more or less than in training costs it its wits. The layout, exactly:

    <s>[INST] U1[/INST] A1</s>[INST] U2[/INST] A2</s>

System text S (all system and developer messages, joined by a blank line) stands before the text
of the *last* user message, as `S\n\nU`. A conversation without a user message gets
`[INST] S[/INST]` at its start. Tool definitions stand directly before the last `[INST]`:

    [AVAILABLE_TOOLS] [{"type": "function", "function": {"name": "f", "description": "d",
    "parameters": {...}}}, ...][/AVAILABLE_TOOLS][INST] U[/INST]

(one line; broken here only to fit). A call the model makes, a call it made earlier, and a result:

    [TOOL_CALLS] [{"name": "f", "arguments": {...}}]</s>
    [TOOL_CALLS] [{"name": "f", "arguments": {...}, "id": "abc0dF1gh"}]</s>
    [TOOL_RESULTS] {"content": ..., "call_id": "abc0dF1gh"}[/TOOL_RESULTS]

A reply after a result follows it directly: `[/TOOL_RESULTS] A</s>`. JSON is written as
`json.dumps(..., ensure_ascii=False)` writes it. The content of a result is embedded as JSON when
it is JSON, otherwise as a JSON string. The model never writes an id: the server makes them, so a
call being learned carries none, and the calls of the history, which do, are not learned.

`chat_template.jinja` is the same layout for programs that read it from the model file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilot.conversation import Conversation

CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja").read_text(encoding="utf-8")
BOS, EOS = "<s>", "</s>"
CONTROL_TOKENS = (
    "<unk>",
    BOS,
    EOS,
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)
"""The tokens that only the layout may produce, in the order of their ids."""
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the text, and whether the model learns to write it."""

    text: str
    learned: bool


def render(conversation: Conversation) -> list[Segment]:
    """The whole conversation, its assistant texts and its final reply marked as learned."""
    return list(_segments(conversation.messages, conversation.tools))


def render_drill(
    tools: Sequence[Mapping[str, Any]], turns: Sequence[tuple[Message, Message]]
) -> Iterator[list[Segment]]:
    """A drill, part by part: the tools before the first question, every reply learned."""
    yield [Segment(f"{BOS}{_tools(tools)}", learned=False)]
    for question, reply in turns:
        calls = reply.get("tool_calls")
        text = _calls(calls, with_ids=False) if calls else f" {_text(reply)}{EOS}"
        asked = Segment(f"[INST] {_text(question)}[/INST]", learned=False)
        yield [asked, Segment(text, learned=True)]


def render_prompt(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> str:
    """What stands before the reply to `messages`."""
    return "".join(segment.text for segment in _segments(messages, tools, replying=True))


def _segments(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, replying: bool = False
) -> Iterator[Segment]:
    system = "\n\n".join(_text(m) for m in messages if m["role"] in ("system", "developer"))
    users = [i for i, message in enumerate(messages) if message["role"] == "user"]
    last_user = users[-1] if users else None
    yield Segment(BOS, learned=False)
    if last_user is None:
        yield Segment(f"{_tools(tools)}[INST] {system}[/INST]", learned=False)
    for i, message in enumerate(messages):
        match message["role"]:
            case "system" | "developer":
                pass
            case "user" if i == last_user:
                text = f"{system}\n\n{_text(message)}" if system else _text(message)
                yield Segment(f"{_tools(tools)}[INST] {text}[/INST]", learned=False)
            case "user":
                yield Segment(f"[INST] {_text(message)}[/INST]", learned=False)
            case "assistant" if message.get("tool_calls"):
                final = i == len(messages) - 1 and not replying
                yield Segment(_calls(message["tool_calls"], with_ids=not final), learned=final)
            case "assistant":
                yield Segment(f" {_text(message)}{EOS}", learned=True)
            case "tool":
                yield Segment(_result(message), learned=False)
            case role:
                raise ValueError(f"unknown role: {role}")


def _text(message: Message) -> str:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content if part["type"] == "text")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tools(tools: Sequence[Mapping[str, Any]]) -> str:
    if not tools:
        return ""
    definitions = [
        {
            "type": "function",
            "function": {
                "name": tool["function"]["name"],
                "description": tool["function"].get("description") or "",
                "parameters": tool["function"].get("parameters") or NO_PARAMETERS,
            },
        }
        for tool in tools
    ]
    return f"[AVAILABLE_TOOLS] {_json(definitions)}[/AVAILABLE_TOOLS]"


def _calls(calls: Sequence[Mapping[str, Any]], *, with_ids: bool) -> str:
    written = []
    for call in calls:
        function = call["function"]
        arguments = function["arguments"]
        if isinstance(arguments, str):
            arguments = json.loads(arguments or "{}")
        entry = {"name": function["name"], "arguments": arguments}
        written.append(entry | {"id": call["id"]} if with_ids else entry)
    return f"[TOOL_CALLS] {_json(written)}{EOS}"


def _result(message: Message) -> str:
    text = _text(message)
    try:
        content = json.loads(text)
    except ValueError:
        content = text
    result = {"content": content, "call_id": message["tool_call_id"]}
    return f"[TOOL_RESULTS] {_json(result)}[/TOOL_RESULTS]"
