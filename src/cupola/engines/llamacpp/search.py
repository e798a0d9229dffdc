"""Beam search on llama.cpp: every step asks, for each beam, for one token and its rivals.

The engine keeps what it computed for a beam's beginning (`cache_prompt`), so a step costs one
token a beam.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import msgspec

from cupola.engines.llamacpp.beam import CANDIDATES_A_BEAM, Beam, BeamSearch, Rules, Scored
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.port import Generation
from cupola.kit.errors import EngineFailed
from cupola.wire.canonical import Candidate, Delta, Event, Finish, Options, TokenLogprob, Usage

Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends the body of a completion request; the body of its reply."""

_CONSTANT: Final = {
    "n_predict": 1,
    "temperature": 0.0,
    "samplers": ["temperature"],
    "cache_prompt": True,
    "stream": False,
    "response_fields": ["completion_probabilities"],
}


class _Likely(msgspec.Struct):
    id: int
    logprob: float


class _Place(msgspec.Struct):
    top_logprobs: list[_Likely]


class _Step(msgspec.Struct):
    completion_probabilities: list[_Place] = []


_decode = msgspec.json.Decoder(_Step).decode


def find_plain(vocabulary: Vocabulary) -> int:
    """A token that says one ASCII character."""
    return next(
        i for i, piece in enumerate(vocabulary.tokens) if piece.isascii() and piece.isalpha()
    )


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
        room = context_length - len(prompt)
        self._rules = self._write_rules(min(request.max_tokens or room, room))
        # What the engine says at each step does not matter, but it must be a whole character, and
        # no end, or it tells nothing; a bias does not change what it tells.
        self._said = [(find_plain(vocabulary), 1e6)]

    async def run(self, ask: Ask) -> list[Event]:
        """The answers, best first."""
        search = BeamSearch(self._rules)
        while search.beams:
            steps = await asyncio.gather(*[self._step(beam, ask) for beam in search.beams])
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

    async def _step(self, beam: Beam, ask: Ask) -> list[Scored]:
        """What may follow `beam`, likeliest first."""
        ids = [token for token, _ in beam.tokens]
        shown = CANDIDATES_A_BEAM * self._request.beams + len(self._vocabulary.special)
        wanted = max(shown, self._request.logprobs or 0)
        body = {**_CONSTANT, "prompt": [*self._prompt, *ids], "n_probs": wanted}
        body["logit_bias"] = self._said
        step = _decode(await ask(msgspec.json.encode(body)))
        if not step.completion_probabilities:
            raise EngineFailed("The model's engine failed.", private="a step without candidates")
        likely = [(one.id, one.logprob) for one in step.completion_probabilities[0].top_logprobs]
        self._alternatives[tuple(ids)] = likely[: self._request.logprobs or 0]
        allowed = [one for one in likely if one[0] not in self._rules.barred]
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
        return Candidate(self._vocabulary.tokens[token], logprob)
