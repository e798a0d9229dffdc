"""One step of a model: what may follow these tokens, and how likely each is.

llama.cpp tells of a token that it says; so it is made to say one, always the same, and tells what
it might have said instead.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from cupola.engines.llamacpp.beam import Scored
from cupola.engines.llamacpp.chunks import broken, decode_chunk
from cupola.engines.llamacpp.vocabulary import Vocabulary

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


class Stepper:
    """Asks one engine for steps."""

    def __init__(self, vocabulary: Vocabulary, ask: Ask) -> None:
        self._ask = ask
        # What the engine says does not matter, but it must be a whole character, and no end, or it
        # tells nothing; a bias does not change what it tells.
        self._said = [(find_plain(vocabulary), 1e6)]

    async def take(self, prompt: Sequence[str | int], count: int) -> list[Scored]:
        """The `count` likeliest tokens to follow `prompt`, likeliest first.

        Raises:
            CupolaError: the engine does not tell.
        """
        body = {**_CONSTANT, "prompt": prompt, "n_probs": count, "logit_bias": self._said}
        step = decode_chunk(await self._ask(msgspec.json.encode(body)))
        if not step.completion_probabilities:
            raise broken("A step without candidates.")
        return [(one.id, one.logprob) for one in step.completion_probabilities[0].top_logprobs]


def find_plain(vocabulary: Vocabulary) -> int:
    """A token that says one ASCII character."""
    return next(
        i for i, piece in enumerate(vocabulary.tokens) if piece.isascii() and piece.isalpha()
    )
