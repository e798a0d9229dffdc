"""Which of an endpoint's deployments gets the next request that names none.

A traffic split is a deck of cards: for 90 to 10 per cent nine of one colour and one of the other,
shuffled, dealt until it is empty, shuffled again. So shares are exact after every deck, not only in
the long run as with dice, and no caller whose requests follow a pattern always meets the same
deployment, as with plain turns.
"""

import random
from collections.abc import Mapping
from math import gcd
from typing import Generic, TypeVar

T = TypeVar("T")


class Split(Generic[T]):
    """Deals out its choices by weight. Not for several threads: the gateway has one."""

    def __init__(self, weights: Mapping[T, int], chance: random.Random | None = None) -> None:
        """`weights` are not negative, and one of them is positive."""
        unit = gcd(*weights.values())
        self._cards = [choice for choice, weight in weights.items() for _ in range(weight // unit)]
        self._left: list[T] = []
        self._chance = chance or random.Random()

    @property
    def cards(self) -> int:
        """After so many requests, and any multiple, each choice got exactly its share."""
        return len(self._cards)

    def deal(self) -> T:
        """The choice for one request."""
        if not self._left:
            self._left = self._chance.sample(self._cards, len(self._cards))
        return self._left.pop()
