"""The tokens that llama.cpp does not tell of, found and asked for.

It tells of a token once the text so far is whole characters and cannot be the beginning of a stop
string. Of the tokens before, whose text it held back until then, it says only how many they were.
Where that text can be cut into so many tokens in one way only, the tokens are known, and a step of
the model after each says how likely the next was. That is so for every character that a
SentencePiece vocabulary spells in bytes, and for most that a byte-level one cuts up.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import msgspec

from cupola.engines.llamacpp.beam import Scored
from cupola.engines.llamacpp.step import Stepper
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.wire.canonical import Candidate, Delta, Event, TokenLogprob

_MOST_BYTES: Final = 64
"""Of a text that was held back. More is a long stop string's: not worth so many questions."""
_FIRST_LOOK: Final = 64
"""Candidates among which a token that was chosen nearly always is."""
_LAST_LOOK: Final = 4096
"""Candidates that are asked for if it is not. To tell of 100,000 holds the engine up for all."""
_DOUBT: Final = 0.1
"""Difference between what is told twice of one token: by then it was said after other ones."""
_REPLACEMENT: Final = "\ufffd".encode()
"""Stands for bytes that are no character, so nobody knows which."""


class Gap(TokenLogprob, frozen=True):
    """The last token of a text, standing for all of them; the others can be asked for."""

    before: int = 0
    """Tokens of the reply before the text."""
    ids: tuple[int, ...] = ()
    """The text's tokens."""


class Divider:
    """Cuts text into tokens of one vocabulary, if there is no doubt how."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def divide(self, text: bytes, count: int) -> tuple[int, ...] | None:
        """The `count` tokens that make `text`; None if none do, or some do in several ways."""
        if len(text) > _MOST_BYTES or _REPLACEMENT in text:
            return None
        cuts: dict[int, list[tuple[int, ...]]] = {0: [()]}
        for _ in range(count):
            cuts = self._lengthen(cuts, text)
        found = cuts.get(len(text), [])
        return found[0] if len(found) == 1 else None

    def _lengthen(
        self, cuts: dict[int, list[tuple[int, ...]]], text: bytes
    ) -> dict[int, list[tuple[int, ...]]]:
        """Ways to cut beginnings of `text`, by their ends: one token longer, two ways at most."""
        longer: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for start, ways in cuts.items():
            for end in range(start + 1, len(text) + 1):
                for token in self._tokens.get(text[start:end], ()):
                    longer[end] += [(*way, token) for way in ways]
                    del longer[end][2:]
        return longer

    @cached_property
    def _tokens(self) -> dict[bytes, list[int]]:
        """Ids of the tokens that say a text. Made when first needed: vocabularies are large."""
        tokens: dict[bytes, list[int]] = defaultdict(list)
        for token, piece in enumerate(self._vocabulary.tokens):
            if piece and token not in self._vocabulary.special:
                tokens[piece].append(token)
        return dict(tokens)


class Recovery:
    """Fills the gaps of one reply.

    Args:
        prompt: As it was sent.
        said: Ids of the reply's tokens; it may grow meanwhile.
        alternatives: To tell of each token.
        opens: The model begins with a space that is not part of its answer.
    """

    def __init__(
        self,
        prompt: Sequence[str | int],
        said: Sequence[int],
        vocabulary: Vocabulary,
        stepper: Stepper,
        *,
        alternatives: int,
        opens: bool,
    ) -> None:
        self._prompt = prompt
        self._said = said
        self._tokens = vocabulary.tokens
        self._stepper = stepper
        self._alternatives = alternatives
        self._opens = opens

    async def complete(self, event: Event) -> Event:
        """`event`, telling of every token that can be known."""
        if not isinstance(event, Delta) or not any(isinstance(o, Gap) for o in event.logprobs):
            return event
        told: list[TokenLogprob] = []
        for one in event.logprobs:
            told += await self._fill(one) if isinstance(one, Gap) else [one]
        return msgspec.structs.replace(event, logprobs=tuple(told))

    async def _fill(self, gap: Gap) -> list[TokenLogprob]:
        """What `gap` stands for; itself, if not all of it can be told, or is doubtful."""
        ids = [*self._prompt, *self._said[: gap.before]]
        filled: list[TokenLogprob] = []
        for token in gap.ids:
            if (told := await self._ask(token, ids)) is None:
                return [gap]
            filled.append(told)
            ids.append(token)
        if abs(filled[-1].chosen.logprob - gap.chosen.logprob) > _DOUBT:
            return [gap]
        if self._opens and gap.before == 0:
            filled[0] = strip_space(filled[0])
        return filled

    async def _ask(self, token: int, before: Sequence[str | int]) -> TokenLogprob | None:
        """How likely `token` was after `before`; None: not among the likeliest thousands."""
        for count in (max(_FIRST_LOOK, self._alternatives), _LAST_LOOK):
            likely = await self._stepper.take(before, count)
            for one in likely:
                if one[0] == token:
                    rivals = [self._candidate(rival) for rival in likely[: self._alternatives]]
                    return TokenLogprob(self._candidate(one), tuple(rivals))
        return None

    def _candidate(self, one: Scored) -> Candidate:
        token, logprob = one
        return Candidate(self._tokens[token], logprob, token)


def strip_space(one: TokenLogprob) -> TokenLogprob:
    """The first token of an answer without the space that is not the answer's."""
    chosen, *likely = [
        Candidate(told.text.removeprefix(b" "), told.logprob, told.token)
        for told in (one.chosen, *one.alternatives)
    ]
    return msgspec.structs.replace(one, chosen=chosen, alternatives=tuple(likely))
