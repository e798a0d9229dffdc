"""Beam search over an engine that tells how likely each next token is. No I/O.

At each step every beam is continued by its likeliest tokens; the best continuations, as many as
the search is wide, are the beams of the next step. One that ends is kept apart, scored by its
log-probability divided by a power of its length, without the token that ends it. The transformers
library counts that token, too, and stops earlier, so there replies of different lengths may rank
otherwise; those of one length rank the same (tests/proof).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cupola.wire.canonical import FinishReason

Scored = tuple[int, float]
"""A token id and its log-probability."""
CANDIDATES_A_BEAM: Final = 2
"""Times the width: so that there are enough even if every beam could end."""


@dataclass(frozen=True, slots=True)
class Beam:
    """A beginning of an answer, or a whole one."""

    tokens: tuple[Scored, ...] = ()
    logprob: float = 0.0
    reason: FinishReason | None = None
    """None: it goes on."""
    cut: int = 0
    """Bytes at the end that are a stop string's."""

    def score(self, length_penalty: float) -> float:
        """What complete beams are compared by."""
        return self.logprob / float(max(1, len(self.tokens)) ** length_penalty)


@dataclass(frozen=True, slots=True)
class Rules:
    """When a beam ends, and when the search does."""

    width: int
    most_tokens: int
    length_penalty: float
    early_stopping: bool
    ends: frozenset[int]
    """Tokens that end a beam and are no part of it."""
    stops: frozenset[int]
    """Tokens that end a beam and stand in it."""
    barred: frozenset[int]
    """Tokens that no beam may hold."""
    find_stop: Callable[[Sequence[Scored]], int]
    """How many bytes at the end of the text a stop string takes, with what follows it; 0: none."""


class BeamSearch:
    """One search. `beams` are to be continued; `advance` takes what may follow each."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.beams = [Beam()]
        self._complete: list[Beam] = []

    def advance(self, candidates: Sequence[Sequence[Scored]]) -> None:
        """Continue each beam by its candidates, likeliest first."""
        going: list[Beam] = []
        for beam, following in zip(self.beams, candidates, strict=True):
            for token, logprob in following:
                if token in self._rules.barred:
                    continue
                if (longer := self._continue(beam, token, logprob)).reason is None:
                    going.append(longer)
                else:
                    self._complete.append(longer)
        going.sort(key=lambda beam: beam.logprob, reverse=True)
        self.beams = [] if self._is_decided(going) else going[: self._rules.width]
        self._complete.sort(key=self._score, reverse=True)
        del self._complete[self._rules.width :]

    def answers(self, count: int) -> list[Beam]:
        """The best, best first, once no beam goes on."""
        return self._complete[:count]

    def _continue(self, beam: Beam, token: int, logprob: float) -> Beam:
        rules = self._rules
        total = beam.logprob + logprob
        if token in rules.ends:
            return replace(beam, logprob=total, reason="stop")
        longer = Beam((*beam.tokens, (token, logprob)), total)
        if token in rules.stops:
            return replace(longer, reason="stop")
        if cut := rules.find_stop(longer.tokens):
            return replace(longer, reason="stop", cut=cut)
        if len(longer.tokens) >= rules.most_tokens:
            return replace(longer, reason="length")
        return longer

    def _is_decided(self, going: Sequence[Beam]) -> bool:
        """Whether nothing that goes on can become one of the best."""
        if not going:
            return True
        if len(self._complete) < self._rules.width:
            return False
        if self._rules.early_stopping:
            return True
        worst = sorted(map(self._score, self._complete), reverse=True)[self._rules.width - 1]
        return self._hope(going[0]) <= worst

    def _hope(self, beam: Beam) -> float:
        """The best score it can reach: log-probabilities only fall, lengths only grow."""
        penalty = self._rules.length_penalty
        longest = self._rules.most_tokens if penalty > 0 else len(beam.tokens)
        return beam.logprob / float(max(1, longest) ** penalty)

    def _score(self, beam: Beam) -> float:
        return beam.score(self._rules.length_penalty)
