"""Text completions, whole and streamed, as bytes: OpenAI's legacy shape, which vLLM shares.

    id, object "text_completion", created, model, choices[index, text, logprobs, finish_reason],
    usage

A stream is chunks of the same shape, then `[DONE]`. Log-probabilities stand in parallel lists:

    {"text_offset": [0], "token_logprobs": [-0.5], "tokens": ["Hi"], "top_logprobs": [{"Hi": -0.5}]}

where `text_offset` counts characters from the beginning of the choice's text.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.json import Encoder

from cupola.wire.canonical import FinishReason, TokenLogprob
from cupola.wire.completion import (
    Choice,
    Endings,
    Head,
    NamedCall,
    Reply,
    Style,
    encode_head,
    encode_usage,
)
from cupola.wire.logprobs import finite
from cupola.wire.sse import END

_KIND = b"text_completion"
_json = Encoder().encode


def encode_text_reply(head: Head, reply: Reply, style: Style) -> bytes:
    """The body of a whole reply."""
    choices = [_choice(i, choice) for i, choice in enumerate(reply.choices)]
    start = encode_head(head, _KIND) + b",".join(choices)
    return start + b'],"usage":' + encode_usage(reply.usage) + b"}"


class TextChunks(Endings):
    """A stream of text chunks; a `StreamEncoder`."""

    def __init__(self, head: Head, style: Style) -> None:
        super().__init__(head, style, _KIND)
        self._offsets: dict[int, int] = {}

    def text(self, text: str, index: int = 0, logprobs: Sequence[TokenLogprob] = ()) -> bytes:
        """A piece of text."""
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + len(text)
        return self._chunk(index, text, _logprobs(logprobs, offset), b"null") + b"}" + END

    def call(self, named: NamedCall) -> bytes:
        """Text completions have no tools, so no engine is allowed a call."""
        raise AssertionError(f"a call in a text completion: {named.call.name}")

    def _end(self, reason: FinishReason, index: int) -> bytes:
        return self._chunk(index, "", b"null", b'"' + reason.encode() + b'"')

    def _chunk(self, index: int, text: str, logprobs: bytes, reason: bytes) -> bytes:
        return b'%b{"index":%d,"text":%b,"logprobs":%b,"finish_reason":%b}]' % (
            self._start,
            index,
            _json(text),
            logprobs,
            reason,
        )


def _choice(index: int, choice: Choice) -> bytes:
    return b'{"index":%d,"text":%b,"logprobs":%b,"finish_reason":"%b"}' % (
        index,
        _json(choice.text),
        _logprobs(choice.logprobs, 0),
        choice.reason.encode(),
    )


def _logprobs(logprobs: Sequence[TokenLogprob], offset: int) -> bytes:
    if not logprobs:
        return b"null"
    told: dict[str, list[Any]] = {
        "text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": [],
    }  # fmt: skip
    for one in logprobs:
        token = one.chosen.text.decode("utf-8", "replace")
        told["text_offset"].append(offset)
        told["token_logprobs"].append(finite(one.chosen.logprob))
        told["tokens"].append(token)
        told["top_logprobs"].append(
            {
                c.text.decode("utf-8", "replace"): finite(c.logprob)
                for c in (*one.alternatives, one.chosen)  # the chosen one counts in any case
            }
        )
        offset += len(token)
    return _json(told)
