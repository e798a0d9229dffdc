"""Log-probabilities in llama.cpp's chunks, as those of the answer's tokens. No I/O."""

from cupola.engines.llamacpp.chunks import Chunk, Likely, Place
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.llamacpp.withheld import Divider, Gap, strip_space
from cupola.wire.canonical import Candidate, TokenLogprob


class Telling:
    """Of one answer.

    Args:
        vocabulary: Of the model.
        alternatives: To tell of each token.
        opens: The model begins with a space that is not part of its answer.
        says_special: Whether control tokens stand in the answer, the one that ends it included.
        divider: Finds tokens that llama.cpp did not tell of; None: they are not looked for.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        alternatives: int,
        *,
        opens: bool,
        says_special: bool,
        divider: Divider | None,
    ) -> None:
        self._vocabulary = vocabulary
        self._alternatives = alternatives
        self._opens = opens
        self._says_special = says_special
        self._divider = divider
        self._counted = 0
        self.said: list[int] = []
        """Ids of the answer's tokens, as long as all are known."""

    def read(self, chunk: Chunk) -> tuple[TokenLogprob, ...]:
        """Of the chunk's token.

        Of a character that takes several tokens llama.cpp tells the last only: it stands for all.
        """
        alternatives, places = self._alternatives, chunk.completion_probabilities
        if not places or self._ends(places[0]):
            return ()
        skipped = chunk.tokens_predicted - self._counted - len(places)
        self._counted = chunk.tokens_predicted
        told = [self._read_place(place, alternatives) for place in places]
        if skipped > 0 and chunk.content:
            told[0] = self._cover(chunk.content.encode(), skipped, places[0].id, told[0])
        if self._opens:  # the space that is not the answer's is the first token's
            told[0] = strip_space(told[0])
            self._opens = False
        self.said += [place.id for place in places]
        return tuple(told)

    def _ends(self, place: Place) -> bool:
        """Whether it is the token that ends the answer, and so no part of its text."""
        return place.id in self._vocabulary.ends and not self._says_special

    def _cover(self, text: bytes, skipped: int, token: int, last: TokenLogprob) -> TokenLogprob:
        """`last`, of the id `token`, standing for all the tokens of `text`, which it ends."""
        chosen = Candidate(text, last.chosen.logprob, token)
        before = text.removesuffix(last.chosen.text)
        missing = self._divider.divide(before, skipped) if self._divider else None
        if missing is None:
            self._divider = None  # nor can any be asked for that comes after
            return TokenLogprob(chosen, last.alternatives)
        gap = Gap(chosen, last.alternatives, len(self.said), (*missing, token))
        self.said += missing
        return gap

    def _read_place(self, place: Place, alternatives: int) -> TokenLogprob:
        likely = [self._candidate(one) for one in place.top_logprobs[:alternatives]]
        return TokenLogprob(self._candidate(place), tuple(likely))

    def _candidate(self, likely: Likely) -> Candidate:
        return Candidate(self._vocabulary.tokens[likely.id], likely.logprob, likely.id)
