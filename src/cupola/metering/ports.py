"""What metering needs from outside: a ledger that is written and read, and places for the rest."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from cupola.metering.budget import Budget, Notice, Scope
from cupola.metering.model import Price, UsageRecord
from cupola.metering.usage import Dimension, InstanceInterval, Query, UsageRow


class RecordStore(Protocol):
    """Takes records into the ledger. One task writes at a time.

    - `write` returns when all of `records` are durable, with the roll-ups that they add to: all or
      none. A record whose request is in the ledger already changes nothing, roll-ups included.
      It raises `Unavailable` if it cannot tell that they are durable; they may be all the same.
    - `expire` deletes at most `limit` records, the oldest before `before`, and no roll-up; it
      returns how many.
    - `close` lets go of what it holds; `write` may open it again.
    """

    async def write(self, records: Sequence[UsageRecord]) -> None: ...

    async def expire(self, before: float, limit: int) -> int: ...

    async def close(self) -> None: ...


class UsageStore(Protocol):
    """Reads the ledger.

    - `sum` groups what the roll-ups say of `query`, in any order, at most `limit` rows for each
      piece of the period; the same group may come several times.
    - `page` returns records from `after` on, exclusive, in order of time and sequence, each with
      its place for the next page; `until` is exclusive, `where` as in `Query`.
    - `spend` sums, since `start` (a full day), the tokens and, by currency, the cost of a project,
      or of one of its endpoints or keys; `spends` does so of all that used anything, at once.
    """

    async def sum(self, query: Query, limit: int) -> Sequence[UsageRow]: ...

    async def page(
        self,
        after: tuple[float, int],
        until: float,
        where: Mapping[Dimension, frozenset[str]],
        limit: int,
    ) -> Sequence[tuple[tuple[float, int], UsageRecord]]: ...

    async def spend(
        self, project: str, scope: Scope, subject: str, start: int
    ) -> Mapping[str, int]: ...

    async def spends(self, start: int) -> Mapping[tuple[str, Scope, str], Mapping[str, int]]: ...


class IntervalSource(Protocol):
    """When instances ran; the fleet keeps it.

    - `between` returns the intervals that touch a period; those that still run end where they
      were last seen.
    """

    async def between(self, start: int, end: int) -> Sequence[InstanceInterval]: ...


class PriceStore(Protocol):
    """Keeps prices, for ever.

    - `add` returns the price with its version, above all before it.
    - `list` returns all, in order of version.
    """

    async def add(self, price: Price) -> Price: ...

    async def list(self) -> Sequence[Price]: ...


class BudgetStore(Protocol):
    """Keeps budgets.

    - `add` takes a new one; `save` replaces the one whose version is one less, else `Stale`.
    - `delete` says whether there was one.
    - `list` is sorted by id; `project` None means all.
    """

    async def add(self, budget: Budget) -> None: ...

    async def save(self, budget: Budget) -> None: ...

    async def delete(self, budget: str) -> bool: ...

    async def find(self, budget: str) -> Budget | None: ...

    async def list(self, project: str | None = None) -> Sequence[Budget]: ...


class NoticeStore(Protocol):
    """Keeps warnings, and which of them still have to be delivered.

    - `add` says whether it was the first of its budget, start and share; else nothing changes.
    - `claim` returns those due at `now`, oldest first, and makes them due at `again`, so that no
      other process sends them meanwhile.
    - `save` replaces one.
    - `list` is newest first; `said` returns the shares that were warned of in the period.
    """

    async def add(self, notice: Notice) -> bool: ...

    async def claim(self, now: int, again: int, limit: int) -> Sequence[Notice]: ...

    async def save(self, notice: Notice) -> None: ...

    async def list(self, project: str, limit: int = 100) -> Sequence[Notice]: ...

    async def said(self, budget: str, start: int) -> frozenset[int]: ...


class Sender(Protocol):
    """Posts a webhook.

    - `post` returns the status of the reply, or raises `Unavailable` if there is none in time.
      It follows no redirect.
    """

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int: ...
