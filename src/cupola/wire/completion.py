"""Chat replies, whole and streamed, as bytes.

All dialects share one shape; `Style` says in what little they differ. Keys stand in the order of
the Azure service's own samples. A whole reply is one object:

    id, object, created, model, choices[index, message, finish_reason, logprobs], usage

A stream is these chunks, each one event, then `[DONE]`:

    first   delta {"role": "assistant", "content": ""}
    text    delta {"content": "..."}
    call    delta {"tool_calls": [one whole call]}; never `null`, which the first C# client rejects
    last    delta {"content": ""}, finish_reason, usage
    usage   choices [] and usage, instead of usage in the last one, for OpenAI's clients that ask

A failure after the first chunk is a last chunk with finish_reason "error" and one more key,
`error`: all clients end their loop on it, and OpenAI's raises with its message. Everything that is
constant in a stream is encoded once; a chunk of text costs one string.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.json import Encoder

from cupola.kit.errors import CupolaError
from cupola.wire.canonical import Call, FinishReason, TokenLogprob, Usage
from cupola.wire.logprobs import encode_logprobs
from cupola.wire.sse import DONE, END, PREFIX


class Style(Struct, frozen=True):
    """In what the dialects' replies differ."""

    call_id: bool
    """Whether a call in a whole reply has the key `call_id`, always null."""
    usage: Literal["last", "own"]
    """Whether a stream's usage stands in the last chunk or in a chunk of its own after it."""
    chosen_too: bool = False
    """Whether a token that was chosen is told among the alternatives though it is none of them."""


class Head(Struct, frozen=True):
    """What a reply says of itself, the same in each chunk of a stream."""

    id: str
    created: int
    """Seconds since the Unix epoch."""
    model: str


class NamedCall(Struct, frozen=True):
    """A call that has got its id."""

    id: str
    call: Call


class Choice(Struct, frozen=True):
    """One whole answer."""

    text: str
    calls: Sequence[NamedCall]
    reason: FinishReason
    logprobs: Sequence[TokenLogprob] = ()


class Reply(Struct, frozen=True):
    """All answers: the fold of an engine's events."""

    choices: Sequence[Choice]
    usage: Usage


_json = Encoder().encode


def encode_reply(head: Head, reply: Reply, style: Style) -> bytes:
    """The body of a whole reply."""
    choices = [_choice(i, choice, style) for i, choice in enumerate(reply.choices)]
    return b"".join(
        (
            encode_head(head, b"chat.completion"),
            b",".join(choices),
            b'],"usage":',
            encode_usage(reply.usage),
            b"}",
        )
    )


def _choice(index: int, choice: Choice, style: Style) -> bytes:
    calls = b"null"
    if choice.calls:
        calls = b"[" + b",".join([_whole_call(call, style) for call in choice.calls]) + b"]"
    return b"".join(
        (
            b'{"index":%d,"message":{"role":"assistant","content":' % index,
            _json(choice.text),
            b',"tool_calls":',
            calls,
            b'},"finish_reason":"',
            choice.reason.encode(),
            b'","logprobs":',
            encode_logprobs(choice.logprobs, style.chosen_too) if choice.logprobs else b"null",
            b"}",
        )
    )


class StreamEncoder(Protocol):
    """Writes one stream. Each method gives one event, or several for `last`."""

    def text(self, text: str, index: int = 0, logprobs: Sequence[TokenLogprob] = ()) -> bytes:
        """A piece of text."""
        ...

    def call(self, named: NamedCall) -> bytes:
        """A whole call."""
        ...

    def finish(self, reason: FinishReason, index: int) -> bytes:
        """The end of an answer that is not the last to end."""
        ...

    def last(self, reason: FinishReason, usage: Usage, index: int = 0) -> bytes:
        """The end of the last answer, and of the stream."""
        ...

    def failed(self, error: CupolaError) -> bytes:
        """The end of a stream whose answer cannot go on."""
        ...


class Endings(ABC):
    """How streams end, whatever their chunks look like: most of a `StreamEncoder`.

    Args:
        kind: What the chunks' `object` is.
    """

    def __init__(self, head: Head, style: Style, kind: bytes) -> None:
        self._style = style
        self._start = PREFIX + encode_head(head, kind)

    def finish(self, reason: FinishReason, index: int) -> bytes:
        """The end of an answer that is not the last to end."""
        return self._end(reason, index) + b"}" + END

    def last(self, reason: FinishReason, usage: Usage, index: int = 0) -> bytes:
        """The end of the last answer, and of the stream."""
        end = self._end(reason, index)
        counts = b',"usage":' + encode_usage(usage) + b"}" + END
        if self._style.usage == "last":
            return end + counts + DONE
        return end + b"}" + END + self._start + b"]" + counts + DONE

    def failed(self, error: CupolaError) -> bytes:
        """The end of a stream whose answer cannot go on."""
        said = _json({"code": error.kind.value, "message": error.public})
        return self._end("error", 0) + b',"error":' + said + b"}" + END + DONE

    @abstractmethod
    def _end(self, reason: FinishReason, index: int) -> bytes:
        """The last chunk of an answer, but for its last brace, before which more may stand."""


class Chunks(Endings):
    """A stream of chat chunks; a `StreamEncoder`."""

    def __init__(self, head: Head, style: Style) -> None:
        super().__init__(head, style, b"chat.completion.chunk")
        self._opened: dict[int, bytes] = {}
        self._next_call = 0

    def text(self, text: str, index: int = 0, logprobs: Sequence[TokenLogprob] = ()) -> bytes:
        """A piece of text."""
        start = self._delta(index) + b'"content":' + _json(text)
        if not logprobs:
            return start + _GOES_ON
        told = encode_logprobs(logprobs, self._style.chosen_too)
        return start + b'},"finish_reason":null,"logprobs":' + told + b"}]}" + END

    def call(self, named: NamedCall) -> bytes:
        """A whole call, numbered in the order it came."""
        index, self._next_call = self._next_call, self._next_call + 1
        opening = b'"tool_calls":[{"index":%d,"id":' % index
        return self._delta(named.call.index) + opening + _call(named) + b"}}]" + _GOES_ON

    def _end(self, reason: FinishReason, index: int) -> bytes:
        ending = b'"content":""},"finish_reason":"' + reason.encode() + b'","logprobs":null}]'
        return self._delta(index) + ending

    def _delta(self, index: int) -> bytes:
        """What stands before a delta, the first of an answer behind the one that opens it."""
        start = self._opened.get(index)
        if start is not None:
            return start
        start = self._opened[index] = self._start + b'{"index":%d,"delta":{' % index
        return start + b'"role":"assistant","content":""' + _GOES_ON + start


_GOES_ON = b'},"finish_reason":null,"logprobs":null}]}' + END


def encode_head(head: Head, kind: bytes) -> bytes:
    """What stands before a reply's choices."""
    return b'{"id":%b,"object":"%b","created":%d,"model":%b,"choices":[' % (
        _json(head.id),
        kind,
        head.created,
        _json(head.model),
    )


def encode_usage(usage: Usage) -> bytes:
    """The value of the key `usage`."""
    return b'{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d}' % (
        usage.prompt,
        usage.prompt + usage.completion,
        usage.completion,
    )


def _whole_call(named: NamedCall, style: Style) -> bytes:
    return b'{"id":' + _call(named) + (b',"call_id":null}}' if style.call_id else b"}}")


def _call(named: NamedCall) -> bytes:
    """A call without its opening `{"id":` and its closing braces."""
    return b'%b,"type":"function","function":{"name":%b,"arguments":%b' % (
        _json(named.id),
        _json(named.call.name),
        _json(named.call.arguments),
    )
