"""The port every engine implements, and all that the platform knows about engines."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from msgspec import Struct, field

from cupola.wire.canonical import ChatRequest, Event, Options, TextRequest, Tool

LOGPROBS: Final = "logprobs"
TOOLS: Final = "tools"
TEXT: Final = "text"
FILL: Final = "fim"
SAFE_PROMPT: Final = "safe_prompt"
"""What only an engine that takes conversations need say that it can do: of the others, the model's
file tells."""
CAPABILITIES: Final = (LOGPROBS, *Options.__struct_fields__)
"""What an engine may or may not be able to do, by the names that requests have for it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What must be known of a loaded model to prompt it: data, so that no code names a model."""

    context_length: int
    """Tokens of prompt and completion together."""
    chat_template: str
    """Jinja, as in the model file or supplied by the catalog."""
    bos_token: str
    eos_token: str
    control_tokens: Mapping[str, int]
    """Text of each control token -> its id. Such text in a message must stay inert."""
    tool_calls_token: int | None
    """Id of the token that opens Mistral's tool calls; None: a reply is a call, or is not."""
    grammar: bool
    """Whether the engine can constrain this model's output (JSON, tool calls)."""
    engine: str = ""
    """Its name, for messages."""
    capabilities: frozenset[str] = frozenset()
    """Those of `CAPABILITIES` that the engine has with this model. If it takes conversations, also
    `TOOLS`, `TEXT`, `FILL`, `SAFE_PROMPT`, and the names of extra parameters that it hands on."""
    takes_conversations: bool = False
    """The engine is given conversations as they are: the layout of prompts, and what in them is a
    control token, are its own concern, and nothing above says anything of them."""
    calls_by_heart: bool = False
    """Whether the model may call some functions in a form of their own: `engines.by_heart`."""

    @property
    def reads_calls(self) -> bool:
        """Whether a conversation may hold calls and their results."""
        return not self.takes_conversations or TOOLS in self.capabilities

    @property
    def calls_tools(self) -> bool:
        """Whether replies may call functions."""
        return TOOLS in self.capabilities if self.takes_conversations else self.grammar

    @property
    def continues_text(self) -> bool:
        """Whether it completes plain text, outside of a conversation."""
        return not self.takes_conversations or TEXT in self.capabilities


class Verbatim(Struct, frozen=True):
    """Prompt text in which nothing is a control token, whatever it looks like."""

    text: str


class Tokens(Struct, frozen=True):
    """A part of a prompt as token ids."""

    ids: tuple[int, ...]


Piece: TypeAlias = str | Verbatim | Tokens
"""A `str` is prompt text whose control tokens count as such."""


class JsonOutput(Struct, frozen=True):
    """The reply is one JSON value that this schema allows; `{"type": "object"}` is JSON mode."""

    schema: Mapping[str, Any]


class ToolOutput(Struct, frozen=True):
    """The reply calls some of `tools`; with mode `auto` it may be text instead.

    `content` constrains the text of an `auto` reply that does not call. `by_heart` names those of
    `tools` that may also be called as `engines.by_heart` says, for the prompt told the model so.
    """

    tools: tuple[Tool, ...]
    mode: Literal["auto", "required"]
    parallel: bool
    content: JsonOutput | None = None
    by_heart: tuple[str, ...] = ()


Constraint: TypeAlias = JsonOutput | ToolOutput


class Tally(Struct):
    """What an engine has done for a generation so far, by its own count: the engine writes it down
    as it hears of it, and whoever closes the generator early reads it there."""

    replica: str = ""
    """The id of the replica that was asked last; the caller writes it."""
    taken: bool = False
    """Whether the engine has begun with the prompt."""
    prompt: int = 0
    """Tokens; 0: it has not told."""
    cached: int = 0
    completion: int = 0
    waited: float | None = None
    """Seconds in which the engine had the request and was busy with others; None: not known."""

    def begin(self) -> None:
        """Nothing is done yet: whatever was, another replica did."""
        self.taken, self.waited = False, None
        self.prompt = self.cached = self.completion = 0


class Trace(Struct, frozen=True):
    """The trace that a generation is part of, as W3C's headers say it."""

    parent: str
    """`traceparent`."""
    state: str = ""
    """`tracestate`; empty: there is none."""


class Generation(Struct, frozen=True):
    """What an engine is asked to continue: authenticated, checked and rendered.

    With no constraint the model still must not call: the engine keeps control tokens, but for
    the end of the reply, out of the output.
    """

    prompt: tuple[Piece, ...]
    max_tokens: int | None = None
    """None: as many as the context holds."""
    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 1.0
    seed: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    logprobs: int | None = None
    """Alternatives to tell of each token; None: no log-probabilities at all."""
    options: Options | None = None
    """None: none differs from its default."""
    beams: int = 1
    """With `options.use_beam_search`: how many are followed."""
    choices: int = 1
    """With `options.use_beam_search`: how many of the best beams are answers."""
    incremental: bool = True
    """False: the caller wants the whole reply, so the engine may say it in one `Delta`."""
    conversation: ChatRequest | None = None
    """For an engine that takes conversations: what there is instead of a prompt. Everything that is
    said of sampling above holds; `constraint` is what its tools and its form come to."""
    completion: TextRequest | None = None
    """For such an engine: the request whose prompt, or one of whose prompts, `prompt` is."""
    tally: Tally = field(default_factory=Tally)
    """Kept by the engine while it answers."""
    trace: Trace | None = None
    """For such an engine, which may make spans of its own."""


class Engine(Protocol):
    """One loaded model, ready to answer.

    The contract, which `tests/contract/test_engine.py` holds every implementation to:

    - `generate` yields any number of `Delta` and `Call`, then one `Finish` or one `Failed`, then
      ends.
    - It raises nothing: a failure is an event, because the caller may be mid-stream. `Failed` with
      an `EngineFailed` says that another replica might do; any other error is final.
    - A prompt that does not fit the context is `Failed(TooLong)`; nothing is ever cut off it.
    - Closing the generator frees the engine's slot before `aclose` returns, or at once after it.
    - Text equal to a stop string is never part of a `Delta`.
    - A constraint holds by construction; output that breaks it is `Failed(EngineFailed)`.
    - `Finish.usage.completion` counts every token generated.
    - `Generation.tally` is true of all that has been heard of the engine, whenever the generator
      is closed, and when it fails.
    - With `logprobs` every token of the text is told of in some `Delta`, in order; the bytes of the
      chosen ones together are the text, unless a stop string cut it.
    - Beam search yields its answers best first, each whole, numbered by `index`.
    """

    def generate(self, request: Generation) -> AsyncGenerator[Event, None]:
        """Answer `request`, one event at a time."""
        ...

    @property
    def busy(self) -> int:
        """Generations under way, for routing and for tests."""
        ...


ReplicaState: TypeAlias = Literal["starting", "ready", "failed", "stopped"]


class Replica(Engine, Protocol):
    """An engine in a process of its own.

    - `start` returns when the replica is ready; it raises `Unavailable` with the reason and the
      process's last lines if it will not be. It may be called again after the process ended.
    - `wait_ended` returns when a started process has ended, whoever ended it; a sentence says how.
    - `stop` ends the process and all its children, whatever its state, and is idempotent.
    """

    @property
    def id(self) -> str:
        """Its name in records of usage; whoever makes it gives it, once in all time."""
        ...

    @property
    def profile(self) -> Profile:
        """Known from the model's file before the process starts."""
        ...

    @property
    def state(self) -> ReplicaState: ...

    async def start(self) -> None: ...

    async def wait_ended(self) -> str: ...

    async def stop(self) -> None: ...
