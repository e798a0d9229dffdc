"""What the catalog needs from outside: its entries, where weights lie, and where they come from."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from cupola.catalog.fetch_events import Described
from cupola.catalog.files import File, FoundWeights, Garbage, Weights, WeightsState
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


class OwnEntries(Entries, Protocol):
    """Entries of which some are the installation's own, and can be changed.

    - An added entry is found at once, and by whoever opens the same place later.
    - `add` refuses a name that is taken, also by a name that differs in case only; an entry that
      came with Cupola gives way only if `shadow` is set. `check` refuses the same beforehand.
    - `remove` gives the entry back, or None where there is none of one's own; a shadowed one is
      found again.
    - `take` keeps a model's files in one's own place and says what they are: names that lead there,
      sizes and checksums. It leaves the originals alone.
    - `drop` deletes what `take` kept for that name, and nothing else.
    - `faults` tells, in sentences, what could not be read; such entries are left out.
    """

    def check(self, name: ModelName, *, shadow: bool = False) -> None: ...

    def add(self, model: Model, *, shadow: bool = False) -> None: ...

    def remove(self, name: ModelName) -> Model | None: ...

    def take(self, name: ModelName, paths: Sequence[Path]) -> tuple[File, ...]: ...

    def drop(self, name: ModelName) -> None: ...

    def faults(self) -> Sequence[str]: ...


class WeightStore(Protocol):
    """Gets weights onto this machine. Without a quantisation the model's preferred weights are
    meant: those that are here, else the first that its entry names.

    - `state` is quick and asks nobody. Every state but `Ready` says more than its name: how far it
      is, or why it is so and what to do.
    - `ensure` returns when the weights are here, whole and checked. However many ask at once, they
      are fetched once. A failure is `Unavailable` with a reason for people; asking again tries
      again, from where it ended. When the last who asked is cancelled, the download ends.
    - `cancel` ends a download for all who wait for it, who get `Unavailable`; it says whether there
      was one.
    - `collect_garbage` deletes what was fetched and is not in `keep`, but for what is being
      fetched, and says what it was. It never touches what it did not fetch.
    - `close` ends all downloads.
    - `under_way` says how many there are now.
    """

    @property
    def under_way(self) -> int: ...

    def state(self, model: Model, quantisation: str | None = None) -> WeightsState: ...

    async def ensure(self, model: Model, quantisation: str | None = None) -> FoundWeights: ...

    async def cancel(self, model: Model, quantisation: str | None = None) -> bool: ...

    def collect_garbage(
        self, keep: Collection[Weights], *, dry_run: bool = False
    ) -> Sequence[Garbage]: ...

    async def close(self) -> None: ...


class Hub(Protocol):
    """Where models are published.

    - `describe` raises `Unavailable` with what to do.
    """

    async def describe(self, repository: str, revision: str | None = None) -> Described: ...


class Disk(Protocol):
    """How much a folder's disk can take.

    - `free` counts bytes that this user may write; the folder need not exist yet.
    """

    def free(self, folder: Path) -> int: ...
