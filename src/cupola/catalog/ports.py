"""What the catalog needs from outside: its entries, and a place where weights lie."""

from collections.abc import Sequence
from typing import Protocol

from cupola.catalog.files import FoundWeights, Weights
from cupola.catalog.model import Model
from cupola.ids import ModelName


class Entries(Protocol):
    """The catalog's entries.

    - `find` returns None for a name that no entry has; names are compared exactly.
    - `list` is sorted by name.
    - `find_template` returns the Jinja text that entries call by `name`, None if there is none.
    """

    def find(self, name: ModelName) -> Model | None: ...

    def list(self) -> Sequence[Model]: ...

    def find_template(self, name: str) -> str | None: ...


class Shelf(Protocol):
    """Where weights lie on this machine.

    - `find` returns None unless all of the files are there; it does not look into them.
    """

    def find(self, weights: Weights) -> FoundWeights | None: ...
