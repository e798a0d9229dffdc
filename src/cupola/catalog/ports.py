"""What the catalog needs from outside: its entries, and a place where weights lie."""

from collections.abc import Sequence
from typing import Protocol

from cupola.catalog.model import FoundWeights, Model, Weights
from cupola.ids import ModelName


class Entries(Protocol):
    """The catalog's entries.

    - `find` returns None for a name that no entry has; names are compared exactly.
    - `list` is sorted by name.
    """

    def find(self, name: ModelName) -> Model | None: ...

    def list(self) -> Sequence[Model]: ...


class Shelf(Protocol):
    """Where weights lie on this machine.

    - `find` returns None if the file is nowhere; it does not look into it.
    """

    def find(self, weights: Weights) -> FoundWeights | None: ...
