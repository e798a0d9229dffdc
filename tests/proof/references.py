"""What the transformers library says of a model, and how far an answer of ours is from it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOLERANCE = 2e-2
"""Of log-probabilities. llama.cpp attends in half precision, which makes nearly all of it."""

Scored = tuple[str, float]
"""What a token says, and its log-probability."""
Distribution = Sequence[float]


@dataclass(frozen=True)
class Place:
    """A position of a reply: the token that stands there, and the likeliest ones."""

    chosen: Scored
    likely: Sequence[Scored]


@dataclass(frozen=True)
class Reference:
    """What `proof.reference` wrote of one model."""

    name: str
    weights: Path
    tokens: list[str]
    text: list[int]
    followed: list[Distribution]
    """Of what comes after each token of the text."""
    prompt: list[int]
    greedy: list[int]
    """The greedy reply, or the one that was to be scored."""
    answered: list[Distribution]
    """From which each token of that reply was chosen."""
    beam: dict[str, Any]

    def say(self, ids: Sequence[int]) -> str:
        """The text of some tokens."""
        return "".join([self.tokens[token] for token in ids])

    def content(self, ids: Sequence[int]) -> str:
        """The same without the token that begins a prompt."""
        return self.say(ids[1:])

    def measure(self, places: Sequence[Place], distributions: Sequence[Distribution]) -> float:
        """The greatest difference at any place, of any token that is told of there."""
        assert len(places) == len(distributions)
        return max(map(self._measure, places, distributions), default=math.inf)

    def _measure(self, place: Place, distribution: Distribution) -> float:
        ranked = sorted(distribution, reverse=True)
        told = [self._compare(one, distribution) for one in (place.chosen, *place.likely)]
        # Those that are told as the likeliest must be: a rank may change hands only in a tie.
        ranks = [abs(one - ranked[i]) for i, (_, one) in enumerate(place.likely)]
        return max([*told, *ranks])

    def _compare(self, one: Scored, distribution: Distribution) -> float:
        text, logprob = one
        return abs(logprob - distribution[self.tokens.index(text)])


def read_reference(folder: Path, name: str) -> Reference:
    """What was written for the model of that name."""
    written = json.loads((folder / f"{name}.json").read_text())
    return Reference(name=name, weights=folder / f"{name}.gguf", **written)
