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

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.json import Encoder

from cupola.kit.errors import CupolaError
from cupola.wire.canonical import Call, FinishReason, Usage
from cupola.wire.sse import DONE, END, PREFIX


class Style(Struct, frozen=True):
    """In what the dialects' replies differ."""

    call_id: bool
    """Whether a call in a whole reply has the key `call_id`, always null."""
    usage: Literal["last", "own"]
    """Whether a stream's usage stands in the last chunk or in a chunk of its own after it."""


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


class Reply(Struct, frozen=True):
    """A whole answer: the fold of an engine's events."""

    text: str
    calls: Sequence[NamedCall]
    reason: FinishReason
    usage: Usage


_json = Encoder().encode


def encode_reply(head: Head, reply: Reply, style: Style) -> bytes:
    """The body of a whole reply."""
    calls = b"null"
    if reply.calls:
        calls = b"[" + b",".join([_whole_call(call, style) for call in reply.calls]) + b"]"
    return b"".join(
        (
            _head(head, b"chat.completion"),
            b'{"index":0,"message":{"role":"assistant","content":',
            _json(reply.text),
            b',"tool_calls":',
            calls,
            b'},"finish_reason":"',
            reply.reason.encode(),
            b'","logprobs":null}],"usage":',
            _usage(reply.usage),
            b"}",
        )
    )


class Chunks:
    """The encoder of one stream. Each method gives one event, or several for `last`."""

    def __init__(self, head: Head, style: Style) -> None:
        self._style = style
        self._start = PREFIX + _head(head, b"chat.completion.chunk")
        self._delta = self._start + b'{"index":0,"delta":{'
        self._text = self._delta + b'"content":'
        self._next_call = 0

    def first(self) -> bytes:
        """Opens the answer."""
        return self._delta + b'"role":"assistant","content":""' + _GOES_ON

    def text(self, text: str) -> bytes:
        """A piece of text."""
        return self._text + _json(text) + _GOES_ON

    def call(self, named: NamedCall) -> bytes:
        """A whole call, numbered in the order it came."""
        index, self._next_call = self._next_call, self._next_call + 1
        opening = b'"tool_calls":[{"index":%d,"id":' % index
        return self._delta + opening + _call(named) + b"}}]" + _GOES_ON

    def last(self, reason: FinishReason, usage: Usage) -> bytes:
        """The end of an answer, and of the stream."""
        end = self._text + b'""},"finish_reason":"' + reason.encode() + b'","logprobs":null}]'
        counts = b',"usage":' + _usage(usage) + b"}" + END
        if self._style.usage == "last":
            return end + counts + DONE
        return end + b"}" + END + self._start + b"]" + counts + DONE

    def failed(self, error: CupolaError) -> bytes:
        """The end of a stream whose answer cannot go on."""
        end = self._text + b'""},"finish_reason":"error","logprobs":null}]'
        said = _json({"code": error.kind.value, "message": error.public})
        return end + b',"error":' + said + b"}" + END + DONE


_GOES_ON = b'},"finish_reason":null,"logprobs":null}]}' + END


def _head(head: Head, kind: bytes) -> bytes:
    return b'{"id":%b,"object":"%b","created":%d,"model":%b,"choices":[' % (
        _json(head.id),
        kind,
        head.created,
        _json(head.model),
    )


def _usage(usage: Usage) -> bytes:
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
