"""Beam search on llama.cpp: every step asks, for each beam, for one token and its rivals.

The engine keeps what it computed for a beam's beginning (`cache_prompt`), so a step costs one
token a beam.
"""

import asyncio
from collections.abc import Iterator, Sequence

from cupola.engines.llamacpp.beam import CANDIDATES_A_BEAM, Beam, BeamSearch, Rules, Scored
from cupola.engines.llamacpp.least import check_least
from cupola.engines.llamacpp.step import Stepper
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.port import Generation
from cupola.wire.canonical import Candidate, Delta, Event, Finish, Options, TokenLogprob, Usage


class Search:
    """One request's search.

    Args:
        prompt: Token ids.
        opens: The model begins with a space that is not part of its answer.
    """

    def __init__(
        self,
        request: Generation,
        prompt: Sequence[int],
        vocabulary: Vocabulary,
        context_length: int,
        *,
        opens: bool,
    ) -> None:
        self._request = request
        self._prompt = list(prompt)
        self._vocabulary = vocabulary
        self._opens = opens
        self._alternatives: dict[tuple[int, ...], Sequence[Scored]] = {}
        self._least = check_least(request)
        room = context_length - len(prompt)
        self._rules = self._write_rules(min(request.max_tokens or room, room))

    async def run(self, stepper: Stepper) -> list[Event]:
        """The answers, best first."""
        search = BeamSearch(self._rules)
        while search.beams:
            steps = await asyncio.gather(*[self._step(beam, stepper) for beam in search.beams])
            search.advance(steps)
        return list(self._tell(search.answers(self._request.choices)))

    def _write_rules(self, most_tokens: int) -> Rules:
        options = self._request.options or Options()
        ends = self._vocabulary.ends
        return Rules(
            width=self._request.beams,
            most_tokens=max(1, most_tokens),
            length_penalty=options.length_penalty,
            early_stopping=options.early_stopping,
            ends=frozenset() if options.ignore_eos else ends,
            stops=frozenset(options.stop_token_ids),
            barred=self._vocabulary.special
            - frozenset(options.stop_token_ids)
            - (frozenset() if options.ignore_eos else ends),
            find_stop=self._find_stop,
        )

    async def _step(self, beam: Beam, stepper: Stepper) -> list[Scored]:
        """What may follow `beam`, likeliest first."""
        ids = [token for token, _ in beam.tokens]
        shown = CANDIDATES_A_BEAM * self._request.beams + len(self._vocabulary.special)
        wanted = max(shown, self._request.logprobs or 0)
        likely = await stepper.take([*self._prompt, *ids], wanted)
        self._alternatives[tuple(ids)] = likely[: self._request.logprobs or 0]
        barred = self._rules.barred
        if len(ids) < self._least:
            barred = barred | self._rules.ends
        allowed = [one for one in likely if one[0] not in barred]
        return allowed[: CANDIDATES_A_BEAM * self._request.beams]

    def _find_stop(self, tokens: Sequence[Scored]) -> int:
        if not self._request.stop:
            return 0
        text = self._text(tokens)
        found = [at for stop in self._request.stop if (at := text.find(stop.encode())) >= 0]
        return len(text) - min(found) if found else 0

    def _text(self, tokens: Sequence[Scored]) -> bytes:
        return b"".join(
            [self._vocabulary.tokens[t] for t, _ in tokens if t not in self._vocabulary.special]
        )

    def _tell(self, beams: Sequence[Beam]) -> Iterator[Event]:
        for index, beam in enumerate(beams):
            text = self._text(beam.tokens)
            text = text[: len(text) - beam.cut]
            if self._opens:
                text = text.removeprefix(b" ")
            said = text.decode("utf-8", "replace")
            yield Delta(said, len(beam.tokens), tuple(self._logprobs(beam)), index)
            usage = Usage(len(self._prompt), len(beam.tokens))
            yield Finish(beam.reason or "stop", usage, index)

    def _logprobs(self, beam: Beam) -> Iterator[TokenLogprob]:
        if self._request.logprobs is None:
            return
        ids = [token for token, _ in beam.tokens]
        for i, (token, logprob) in enumerate(beam.tokens):
            rivals = self._alternatives[tuple(ids[:i])]
            yield TokenLogprob(
                self._candidate(token, logprob), tuple([self._candidate(*one) for one in rivals])
            )

    def _candidate(self, token: int, logprob: float) -> Candidate:
        return Candidate(self._vocabulary.tokens[token], logprob, token)
