"""llama.cpp's answer to a completion, read as it comes, as events. No I/O.

    state     text chunk        first token opens calls       last chunk
    OPENING   TEXT: Delta       CALLS                         ENDED
    TEXT      Delta             -                             ENDED: Finish
    CALLS     kept              -                             ENDED: Calls, Finish

`[TOOL_CALLS]` opens calls, and so does Llama's `<|python_tag|>`; what stands behind the latter may
be a call in JSON or of a function that the model knows by heart.

An answer that is not wanted in pieces comes as a stream, too, for the engine notices only then that
nobody listens any more; its text is kept and said as one delta at the end.

`receive` yields deltas; what ends the answer waits for `end`, which the caller asks for once the
connection has nothing more to say. A reply under a constraint is checked there again, because
llama.cpp ignores a grammar that it cannot use, with no more than a warning in its log.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from cupola.engines.by_heart import read_known
from cupola.engines.llamacpp.chunks import (
    Chunk,
    Said,
    broken,
    decode_chunks,
    decode_said,
    explain,
    read_refusal,
)
from cupola.engines.llamacpp.told import Telling
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.llamacpp.withheld import Divider
from cupola.engines.port import Constraint, Generation, JsonOutput, ToolOutput
from cupola.engines.schema import find_reply_fault
from cupola.kit.errors import CupolaError
from cupola.wire.canonical import (
    Call,
    Delta,
    Event,
    Failed,
    Finish,
    FinishReason,
    TokenLogprob,
    Usage,
)

_DATA: Final = b"data: "
_END: Final = b"\n\n"
_BETWEEN: Final = _END + _DATA
_LINE: Final = b"\n"
MAX_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event of a stream; a chunk takes some hundred."""


class _WrittenCall(Struct):
    name: str
    arguments: msgspec.Raw


class _ObjectCall(Struct, forbid_unknown_fields=True):
    name: str
    parameters: msgspec.Raw


_decode_calls = msgspec.json.Decoder(list[_WrittenCall]).decode
_decode_object = msgspec.json.Decoder(_ObjectCall).decode


class Reply:
    """The answer to one `Generation`.

    Args:
        request: What was asked.
        vocabulary: Of the model.
        opens: The model begins with a space that is not part of its answer.
        divider: Finds tokens that llama.cpp did not tell of; None: they are not looked for.
    """

    def __init__(
        self,
        request: Generation,
        vocabulary: Vocabulary,
        *,
        opens: bool,
        divider: Divider | None = None,
    ) -> None:
        self._request = request
        self.tally = request.tally
        constraint, options = request.constraint, request.options
        calls = isinstance(constraint, ToolOutput)
        self._vocabulary = vocabulary
        self._call_token = vocabulary.tool_calls_token if calls else None
        self._python_tag = vocabulary.python.tag if calls and vocabulary.python else None
        # Without such a token the first character tells, if the text may not be an object as well.
        self._held = False
        self._undecided = calls and self._call_token is None
        self._tells_late = self._undecided and constraint_content(constraint) is not None
        self._keeps_text = constraint is not None or not request.incremental
        plain = constraint is None and options is None and request.logprobs is None
        self._gathers = plain and not request.incremental
        self._stops = frozenset(options.stop_token_ids if options else ())
        self._says_special = options is not None and not options.skip_special_tokens
        self._end_said = False
        self._strip = opens
        self._logprobs: list[TokenLogprob] = []
        self.telling: Telling | None = None
        if request.logprobs is not None:
            self.telling = Telling(
                vocabulary,
                request.logprobs,
                opens=opens,
                says_special=self._says_special,
                divider=divider,
            )
        self._opening = True
        self._calling = False
        self._tagged = False
        self._buffer = b""
        self._kept: list[str] = []
        self._reported = 0
        self._last: Said | None = None
        self._failed: CupolaError | None = None
        self._stopped = False

    def receive(self, data: bytes, status: int = 200) -> list[Event]:
        """Read some bytes of the answer; the text in them."""
        if self._buffer:
            data = self._buffer + data
        if status != 200:
            self._buffer, self._failed = data, read_refusal(status, data)
            return []
        events, _, self._buffer = data.rpartition(_END)
        if len(self._buffer) > MAX_EVENT:
            self._failed = broken("An event of the stream is too long.")
        payloads = b"[" + _list_payloads(events) + b"]"
        try:
            if self._gathers:
                self._gather(decode_said(payloads))
                return []
            return self._read_all(decode_chunks(payloads))
        except msgspec.DecodeError as error:
            self._failed = broken(f"The answer cannot be read: {error}")
            return []

    def end(self) -> Iterator[Event]:
        """What ends the answer: calls and how it finished, or why it failed."""
        if self._failed is None and self._last is None:
            self._failed = broken("The answer ended early.")
        if self._tells_late:
            self._calling = bool(self._read_calls())
        if self._failed is None and (fault := self._find_fault()):
            self._failed = broken(fault)
        if self._failed is not None:
            yield Failed(self._failed)
        else:
            yield from self._finish()

    @property
    def is_stopped(self) -> bool:
        """Whether a token has ended the answer; what the engine still says is not wanted."""
        return self._stopped

    def find_retry(self) -> Generation | None:
        """The request to make instead, if a stop string cut a call: it may hold any text."""
        constraint = self._request.constraint
        if not self._calling or self._stop_type != "word":
            return None
        if not isinstance(constraint, ToolOutput) or constraint.mode == "required":
            return None
        required = msgspec.structs.replace(constraint, mode="required")
        return msgspec.structs.replace(self._request, constraint=required)

    @property
    def worked(self) -> float:
        """Seconds that the engine had for this answer, by its own clock."""
        return (self._last.prompt_ms + self._last.predicted_ms) / 1000 if self._last else 0.0

    @property
    def _stop_type(self) -> str:
        return self._last.stop_type if self._last else "none"

    def _note(self, said: Sequence[Said]) -> None:
        """How far the engine is: each event counts from the beginning."""
        if not said:
            return
        first, last, tally = said[0], said[-1], self.tally
        if first.prompt_progress is not None:
            tally.cached = first.prompt_progress.cache
        if last.tokens_evaluated:
            tally.taken = True
            tally.prompt, tally.completion = last.tokens_evaluated, last.tokens_predicted

    def _gather(self, said: list[Said]) -> None:
        """Keep the text of a plain whole reply, of which only the last event says more."""
        self._note(said)
        self._kept += [one.content for one in said]
        last = said[-1] if said else Said()
        if last.error is not None:
            self._failed = explain(last.error)
        elif last.stop:
            self._last = last

    def _read_all(self, chunks: list[Chunk]) -> list[Event]:
        self._note(chunks)
        said: list[Event | None] = []
        for chunk in chunks:
            if chunk.prompt_progress is None:
                said.append(self._read(chunk))
            if self.is_stopped:
                break
        return [event for event in said if event is not None]

    def _read(self, chunk: Chunk) -> Event | None:
        if chunk.error is not None:
            self._failed = explain(chunk.error)
            return None
        if chunk.stop:
            self._last = chunk
        if self._opening and (chunk.tokens or chunk.content):
            self._opening = False
            self._open(chunk)
        if self._undecided and not self._tells_late:
            self._decide(chunk.content)
        if self._stops and not self._stops.isdisjoint(chunk.tokens):
            self._stop(chunk)
        says_special = self._says_special and not self._calling  # calls are read, not shown
        text = self._text(chunk) if says_special else chunk.content
        logprobs = self.telling.read(chunk) if self.telling else ()
        return self._say(text, logprobs, chunk) if text or logprobs else None

    def _open(self, chunk: Chunk) -> None:
        """The first token, which may open calls."""
        self._calling = chunk.tokens[:1] == [self._call_token]
        if chunk.tokens[:1] == [self._python_tag]:
            self._calling = self._tagged = True
            self._undecided = self._tells_late = False

    def _decide(self, text: str) -> None:
        if begun := "".join([*self._kept, text]).lstrip():
            self._undecided = False
            self._calling = begun.startswith("{")

    def _stop(self, chunk: Chunk) -> None:
        """A token that ends the answer by the caller's wish."""
        self._stopped = True
        self._last = msgspec.structs.replace(chunk, stop=True, stop_type="token")

    def _text(self, chunk: Chunk) -> str:
        """The text, and what control tokens say, which llama.cpp leaves out."""
        special = [
            self._vocabulary.tokens[t] for t in chunk.tokens if t in self._vocabulary.special
        ]
        self._end_said |= not self._vocabulary.ends.isdisjoint(chunk.tokens)
        # Behind half a character it tells of no token, so which end it was is not known.
        untold = chunk.stop and chunk.stop_type == "eos" and not self._end_said
        end = self._vocabulary.end if untold else b""
        return chunk.content + b"".join([*special, end]).decode(errors="replace")

    def _say(self, text: str, logprobs: tuple[TokenLogprob, ...], chunk: Chunk) -> Event | None:
        if self._strip and text:
            self._strip = False
            text = text.removeprefix(" ")
        if self._keeps_text:
            self._kept.append(text)
        if self._undecided:
            self._held = True
        if self._calling or self._undecided or not self._request.incremental:
            self._logprobs += logprobs
            return None
        if self._held:  # until it was known to be no call
            text, logprobs = "".join(self._kept), (*self._logprobs, *logprobs)
            self._held = False
        if not text and not logprobs:
            return None
        delta = Delta(text, chunk.tokens_predicted - self._reported, logprobs)
        self._reported = chunk.tokens_predicted
        return delta

    def _find_fault(self) -> str | None:
        """How a complete answer breaks its constraint; None where it was cut, or holds."""
        constraint = self._request.constraint
        if constraint is None or self._stop_type != "eos":
            return None
        if self._calling:
            return None if self._read_calls() else "The answer holds no readable call."
        if isinstance(constraint, ToolOutput):
            if constraint.mode == "required":
                return "The answer calls no function."
            constraint = constraint.content
        if constraint is None:
            return None
        return find_reply_fault("".join(self._kept), constraint.schema)

    def _finish(self) -> Iterator[Event]:
        assert self._last is not None
        last = self._last
        usage = Usage(last.tokens_evaluated, last.tokens_predicted, self.tally.cached)
        reason: FinishReason = "length" if self._stop_type == "limit" else "stop"
        if self._calling and reason == "stop":
            yield from self._read_calls()
            reason = "tool_calls"
        elif (self._kept or self._logprobs) and self._is_held and not self._calling:
            text = "".join(self._kept)
            if self._strip:
                text = text.removeprefix(" ")
            yield Delta(text, usage.completion, tuple(self._logprobs))
        yield Finish(reason, usage)

    @property
    def _is_held(self) -> bool:
        """Whether the text has not been said yet."""
        return self._undecided or not self._request.incremental

    def _read_calls(self) -> list[Call]:
        """The calls; none if the text is not of their form, or names a function not offered."""
        constraint = self._request.constraint
        offered = {t.name for t in constraint.tools} if isinstance(constraint, ToolOutput) else ()
        text = "".join(self._kept)
        if self._tagged and isinstance(constraint, ToolOutput):
            known = read_known(text, constraint.tools, constraint.by_heart)
            if known is not None:
                return [known]
        try:
            written = self._decode_calls(text)
        except (msgspec.DecodeError, RecursionError):
            return []
        if not all(call.name in offered for call in written):
            return []
        return [Call(call.name, bytes(call.arguments).decode()) for call in written]

    def _decode_calls(self, text: str) -> list[_WrittenCall]:
        if self._call_token is not None:
            return _decode_calls(text)
        call = _decode_object(text)
        return [_WrittenCall(call.name, call.parameters)]


def _list_payloads(events: bytes) -> bytes:
    """What events of a stream bring, as items of one JSON array.

    A whole reply brings dozens at once, so they are not taken apart where all bring something: JSON
    has no line breaks of its own here, and so none of what parts events.
    """
    if events.startswith(_DATA):
        payloads = b",".join(events[len(_DATA) :].split(_BETWEEN))
        if _LINE not in payloads:
            return payloads
    bringing = [event for event in events.split(_END) if event.startswith(_DATA)]
    return b",".join([event[len(_DATA) :] for event in bringing])


def constraint_content(constraint: Constraint | None) -> JsonOutput | None:
    """What text beside calls must be."""
    return constraint.content if isinstance(constraint, ToolOutput) else None
