"""An upstream's answer, read as it comes, as events. No I/O.

    take(chunk)    a `Delta`, or nothing: calls are kept until they are whole
    end()          calls and how it finished

A whole reply is one chunk. What was asked for is checked at the end, as for any engine: a form that
does not hold, or a function that nobody offered, is the provider's failure and never a 200.
"""

import logging
from collections.abc import Iterator
from typing import Final

import msgspec

from cupola.engines.port import Constraint, Generation, ToolOutput
from cupola.engines.schema import find_reply_fault
from cupola.engines.upstream.calls import Calls
from cupola.engines.upstream.chunk import Choice, Chunk, Counts, decode_chunk, is_null, read_text
from cupola.engines.upstream.logprobs import read_logprobs
from cupola.engines.upstream.refusal import FAILED, read_event_error
from cupola.kit.errors import EngineFailed
from cupola.wire.canonical import Call, Delta, Event, Finish, FinishReason, TokenLogprob, Usage

_REASONS: Final[dict[str, FinishReason]] = {
    "length": "length",
    "model_length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "error": "error",
}
"""Any other word means that the answer is complete: services invent new ones for why."""
_CUT: Final = frozenset(("length", "content_filter"))

_log = logging.getLogger(__name__)


class Reply:
    """The answer to one `Generation`."""

    def __init__(self, request: Generation) -> None:
        self._request = request
        self._keeps_text = request.constraint is not None
        self._texts: list[str] = []
        self._calls = Calls()
        self._called = False
        self._pieces = 0
        self._told_logprobs = False
        self._reason: str | None = None
        self._counts: Counts | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the upstream has said how the answer finished."""
        return self._reason is not None

    def take(self, data: bytes) -> Delta | None:
        """Read a chunk, or a whole reply.

        Raises:
            EngineFailed: It cannot be read, or tells of a failure.
            Filtered: It tells that the provider's filter ended the answer.
        """
        try:
            chunk = decode_chunk(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _broken(f"The answer cannot be read: {error}") from None
        if not is_null(chunk.error) or chunk.object == "error":
            raise read_event_error(data)
        if chunk.usage is not None:
            self._counts = chunk.usage
        return self._read(chunk, chunk.choices[0]) if chunk.choices else None

    def end(self) -> Iterator[Event]:
        """What ends the answer. Raises: EngineFailed, if it is not what it has to be."""
        if self._reason is None:
            raise _broken("The answer ended early.")
        reason = _REASONS.get(self._reason, "stop")
        if reason == "error":
            raise _broken("The upstream gave up.")
        calls: list[Call] = []
        if reason not in _CUT:
            calls = self._read_calls()
            if fault := self._find_fault(calls):
                raise _broken(fault)
        yield from calls
        yield Finish("tool_calls" if calls else reason, self._count())

    def _read(self, chunk: Chunk, choice: Choice) -> Delta | None:
        if choice.finish_reason:
            self._reason = choice.finish_reason
        said = choice.message or choice.delta
        for piece in (said and said.tool_calls) or ():
            self._called = True
            self._calls.add(piece)
        text, logprobs = read_text(choice), self._read_logprobs(choice)
        if not text and not logprobs:
            return None
        self._pieces += 1
        if self._keeps_text:
            self._texts.append(text)
        delta = Delta(text, self._guess_tokens(chunk, logprobs), logprobs)
        self._request.tally.completion += delta.tokens
        return delta

    def _guess_tokens(self, chunk: Chunk, logprobs: tuple[TokenLogprob, ...]) -> int:
        """Of a piece, for callers who hang up before the upstream has counted."""
        if not self._request.incremental and chunk.usage is not None:
            return chunk.usage.completion_tokens or 1
        return len(logprobs) or 1

    def _read_logprobs(self, choice: Choice) -> tuple[TokenLogprob, ...]:
        if self._request.logprobs is None or is_null(choice.logprobs):
            return ()
        try:
            logprobs = read_logprobs(choice.logprobs, self._request.logprobs)
        except (msgspec.DecodeError, ValueError) as error:
            raise _broken(f"Log-probabilities cannot be read: {error}") from None
        self._told_logprobs |= bool(logprobs)
        return logprobs

    def _read_calls(self) -> list[Call]:
        calls = self._calls.read()
        if calls is None:
            raise _broken("The answer holds a call that cannot be read.")
        constraint = self._request.constraint
        if isinstance(constraint, ToolOutput) and not constraint.parallel:
            return calls[:1]  # the others can be made after this one's result
        return calls

    def _find_fault(self, calls: list[Call]) -> str | None:
        """How a complete answer is not what was asked for."""
        if self._request.logprobs is not None and self._pieces and not self._told_logprobs:
            return "The upstream tells no log-probabilities: take them out of its features."
        constraint = self._request.constraint
        if calls:
            return _find_call_fault(calls, constraint)
        if isinstance(constraint, ToolOutput):
            if constraint.mode == "required":
                return "The answer calls no function."
            constraint = constraint.content
        if constraint is None or self._request.stop:  # which may have cut it, and nothing tells
            return None
        return find_reply_fault("".join(self._texts), constraint.schema)

    def _count(self) -> Usage:
        counts = self._counts
        if counts is not None and counts.completion_tokens is not None:
            return Usage(counts.prompt_tokens or 0, counts.completion_tokens, counts.cached)
        _log.warning("The upstream told no usage; the pieces of its answer are counted instead.")
        return Usage(0, self._pieces + self._called)


def _find_call_fault(calls: list[Call], constraint: Constraint | None) -> str | None:
    if not isinstance(constraint, ToolOutput):
        return "The answer calls a function, though it may not."
    offered = {tool.name for tool in constraint.tools}
    if not all(call.name in offered for call in calls):
        return "The answer calls a function that was not offered."
    return None


def _broken(private: str) -> EngineFailed:
    return EngineFailed(FAILED, private=private)
