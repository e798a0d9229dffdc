"""What llama.cpp sends: the chunks of a completion, and its refusals, in our errors."""

import msgspec
from msgspec import Struct, field

from cupola.kit.errors import CupolaError, EngineFailed, Invalid, TooLong


class Error(Struct):
    """Why it does not answer."""

    message: str = ""
    type: str = ""
    code: int = 500
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class Likely(Struct):
    """A token, and the natural logarithm of its probability."""

    id: int
    logprob: float


class Place(Likely):
    """The token that was drawn, and the likeliest ones."""

    top_logprobs: list[Likely] = []


class Progress(Struct, gc=False):
    """How far the prompt is read; said when the engine begins with it, and now and then."""

    cache: int = 0
    """Of its tokens: known from an earlier one."""


class Said(Struct, gc=False):
    """One event of the stream, as far as plain text needs it: read in a third of the time."""

    content: str = ""
    stop: bool = False
    stop_type: str = "none"
    tokens_predicted: int = 0
    tokens_evaluated: int = 0
    prompt_ms: float = field(default=0.0, name="timings/prompt_ms")
    """Of the last one: how long the prompt took, and in the next field the answer."""
    predicted_ms: float = field(default=0.0, name="timings/predicted_ms")
    prompt_progress: Progress | None = None
    """Then it is of the prompt, and says nothing of the answer."""
    error: Error | None = None


class Chunk(Said):
    """One event of the stream."""

    tokens: list[int] = []
    completion_probabilities: list[Place] = []


decode_said = msgspec.json.Decoder(list[Said]).decode
decode_chunks = msgspec.json.Decoder(list[Chunk]).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode


def read_refusal(status: int, body: bytes) -> CupolaError:
    """What the engine's answer to a request that it did not take means."""
    try:
        error = decode_chunk(body).error
    except msgspec.DecodeError:
        error = None
    return explain(error or Error(f"Status {status} without a reason.", code=status))


def explain(error: Error) -> CupolaError:
    """The error in our words: the caller's fault, or the engine's."""
    if error.type == "exceed_context_size_error":
        return too_long(error.n_prompt_tokens, error.n_ctx)
    if error.code == 400:
        return Invalid(f"The engine refused the request: {error.message}")
    return broken(f"The engine answered {error.code}: {error.message}")


def too_long(tokens: int, context_length: int) -> TooLong:
    """The prompt does not fit."""
    return TooLong(
        f"This model's maximum context length is {context_length} tokens. However, your messages "
        f"resulted in {tokens} tokens. Please reduce their length.",
        path=("messages",),
        value=tokens,
    )


def broken(private: str) -> EngineFailed:
    """The engine did not keep its contract; the log is told how."""
    return EngineFailed("The model's engine failed while answering.", private=private)
