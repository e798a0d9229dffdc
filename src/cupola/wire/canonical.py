"""The one shape every dialect is read into and written from.

Requests are msgspec structs because they are built for every call; events are what an engine
says while it answers. A whole reply is the fold of its events (`gateway.reply`).
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from cupola.kit.errors import CupolaError

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""`developer` is read as `system`."""

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "error"]


class ToolCall(Struct, frozen=True):
    """A call that the model made, as a client sends it back."""

    id: str
    name: str
    arguments: str
    """JSON text of one object."""


class Message(Struct, frozen=True):
    """One turn. Content parts of type text are joined when decoded."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    prefix: bool = False
    """An assistant message that the reply must continue (Mistral)."""


class Tool(Struct, frozen=True):
    """A function that the model may call. `parameters` is a JSON Schema of type object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = {}


class ToolChoice(Struct, frozen=True):
    """Whether the model may, must or must not call; `name` narrows `required` to one function."""

    mode: Literal["auto", "none", "required"]
    name: str | None = None


class ResponseFormat(Struct, frozen=True):
    """What the content of the reply must be; `schema` belongs to `json_schema` only."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    schema: Mapping[str, Any] | None = None


class ChatRequest(Struct, frozen=True):
    """A chat completion, whichever dialect it came in. None means: the model's default."""

    messages: tuple[Message, ...]
    model: str | None = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    response_format: ResponseFormat = ResponseFormat()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    """None: `auto` with tools, `none` without."""
    parallel_tool_calls: bool = True
    include_usage: bool = False
    """OpenAI's `stream_options.include_usage`: usage in a chunk of its own at the end."""
    extras: Mapping[str, Any] = {}
    """Fields handed through to the model (`extra-parameters: pass-through`)."""


class Usage(Struct, frozen=True):
    """Tokens, as counted by the engine's own tokenizer."""

    prompt: int
    completion: int


class Delta(Struct, frozen=True):
    """A piece of the answer's text."""

    text: str
    tokens: int
    """How many tokens it took; 0 is possible, text may be held back and follow later."""


class Call(Struct, frozen=True):
    """The model calls a function: always whole, never in pieces. `arguments` is JSON text."""

    name: str
    arguments: str


class Finish(Struct, frozen=True):
    """The answer is complete."""

    reason: FinishReason
    usage: Usage


class Failed(Struct, frozen=True):
    """The engine will say nothing more."""

    error: CupolaError


Event: TypeAlias = Delta | Call | Finish | Failed
