"""What the model sees, and how much of each.

The shares are of conversations, not of tokens: a tool conversation is several times as long as a
question of fact, and is still what most of the reading time goes to.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module

from pilot.conversation import Conversation, Split

SHARES: Mapping[str, float] = {
    "tools": 0.45,
    "json": 0.14,
    "facts": 0.13,
    "sums": 0.05,
    "chat": 0.10,
    "persona": 0.08,
    "copy": 0.05,
}
GROUPS = tuple(SHARES)
"""The groups of kinds: what stands before the dot of `Conversation.kind`."""
_MODULES = {"json": "json_mode", "copy": "copying"}


def group(conversation: Conversation) -> str:
    """The group of a conversation's kind."""
    return conversation.kind.partition(".")[0]


def source(name: str) -> Callable[[Split, random.Random], Iterator[Conversation]]:
    """The endless supply of one group."""
    module = import_module(f"pilot.corpus.{_MODULES.get(name, name)}")
    conversations: Callable[[Split, random.Random], Iterator[Conversation]] = module.conversations
    return conversations


def conversations(
    split: Split, rng: random.Random, shares: Mapping[str, float] = SHARES
) -> Iterator[Conversation]:
    """An endless mixture of all groups."""
    supplies = {name: source(name)(split, random.Random(rng.random())) for name in shares}
    names, weights = list(shares), list(shares.values())
    while True:
        yield next(supplies[rng.choices(names, weights)[0]])
