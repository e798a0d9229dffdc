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


class Options(Struct, frozen=True):
    """What only some engines can do; each field's name is that of the capability it needs.

    The meaning of each is vLLM's, by whose names clients know them.
    """

    top_k: int = 0
    """Draw from so many of the likeliest tokens; 0: from all."""
    min_p: float = 0.0
    """Drop tokens less likely than this part of the likeliest one."""
    repetition_penalty: float = 1.0
    """Divides the logits of tokens that prompt or reply hold already."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Token id, and what is added to its logit."""
    ignore_eos: bool = False
    """Never end the reply before its length does."""
    stop_token_ids: tuple[int, ...] = ()
    """Tokens that end the reply."""
    skip_special_tokens: bool = True
    """False: control tokens that the model says stand in the text."""
    use_beam_search: bool = False
    length_penalty: float = 1.0
    """Beam search: the power of its length by which a beam's log-probability is divided."""
    early_stopping: bool = False
    """Beam search: end as soon as there are as many complete beams as are kept."""
    min_tokens: int = 0
    """No end of the reply before so many tokens."""


class LogprobsAsked(Struct, frozen=True):
    """Log-probabilities of the reply's tokens are wanted."""

    alternatives: int = 0
    """Of the likeliest tokens at each place."""
    with_chosen: bool = False
    """Whether the token that was drawn counts among the alternatives if it is none of them."""


class Sampled(Struct, frozen=True, kw_only=True):
    """What requests for chat and for text share. None means: the model's default."""

    model: str | None = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    n: int = 1
    """Choices in the reply, for each prompt."""
    best_of: int | None = None
    """Completions from which the choices are chosen; None: as many as choices."""
    logprobs: LogprobsAsked | None = None
    top_logprobs: int = 0
    """Alternatives wanted, said apart from `logprobs`, which it needs."""
    options: Options | None = None
    """None: nothing is asked for that needs an able engine."""
    include_usage: bool = False
    """OpenAI's `stream_options.include_usage`: usage in a chunk of its own at the end."""
    extras: Mapping[str, Any] = {}
    """Fields handed through to the model (`extra-parameters: pass-through`)."""


class ChatRequest(Sampled, frozen=True):
    """A chat completion, whichever dialect it came in."""

    messages: tuple[Message, ...]
    response_format: ResponseFormat = ResponseFormat()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    """None: `auto` with tools, `none` without."""
    parallel_tool_calls: bool = True
    safe_prompt: bool = False
    """Mistral: a standing instruction to be careful goes before the conversation."""


class TextRequest(Sampled, frozen=True):
    """Text to continue, or to fill in between a prompt and a suffix."""

    prompts: tuple[str | tuple[int, ...], ...]
    """Each a text or token ids; the reply has choices for each."""
    suffix: str | None = None
    """What follows the reply."""
    echo: bool = False
    """Whether the reply begins with its prompt."""


class Usage(Struct, frozen=True):
    """Tokens, as counted by the engine's own tokenizer."""

    prompt: int
    completion: int
    cached: int = 0
    """Of the prompt's: those that the engine had read before."""


class Candidate(Struct, frozen=True):
    """A token, and how likely it was where it stands."""

    text: bytes
    """UTF-8, of which a token may hold a part of a character."""
    logprob: float
    """Natural, of the model's own distribution: before temperature, bias and penalties."""
    token: int | None = None
    """Its id; None where a service does not tell."""


class TokenLogprob(Struct, frozen=True):
    """A token of the answer, and the likeliest tokens in its place, likeliest first."""

    chosen: Candidate
    alternatives: tuple[Candidate, ...] = ()


class Delta(Struct, frozen=True):
    """A piece of the answer's text."""

    text: str
    tokens: int
    """How many tokens it took; 0 is possible, text may be held back and follow later."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of these tokens, if asked for."""
    index: int = 0
    """Which of several answers it belongs to; the same in the other events."""


class Call(Struct, frozen=True):
    """The model calls a function: always whole, never in pieces. `arguments` is JSON text."""

    name: str
    arguments: str
    index: int = 0


class Finish(Struct, frozen=True):
    """An answer is complete."""

    reason: FinishReason
    usage: Usage
    """Of this answer."""
    index: int = 0


class Failed(Struct, frozen=True):
    """The engine will say nothing more."""

    error: CupolaError


Event: TypeAlias = Delta | Call | Finish | Failed
