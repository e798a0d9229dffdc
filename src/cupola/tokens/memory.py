"""Keys that a test publishes: the fake that ships."""

from collections.abc import Sequence

from cupola.tokens.model import Issuer
from cupola.tokens.ports import Jwk, KeysUnreadable


class MemoryKeySource:
    """A `KeySource` without a network."""

    def __init__(self, keys: Sequence[Jwk] = ()) -> None:
        self.keys = list(keys)
        self.down = False
        self.fetched = 0
        """How often it was asked."""

    async def fetch(self, issuer: Issuer) -> Sequence[Jwk]:
        self.fetched += 1
        if self.down:
            raise KeysUnreadable(f"{issuer.issuer} does not answer.")
        return list(self.keys)
