"""What limits need from outside: places that count and keep, and one who knows what was spent."""

from collections.abc import Sequence
from typing import Protocol

from cupola.quotas.model import Bound, Cost, Demand, Limits, Refused, Scope, Settled, Ticket


class Counters(Protocol):
    """Counts what scopes use, by `law`.

    - `reserve` admits a request if every limit of every bound has room for what `model.fit` makes
      of its demand, and counts it in all of them at once; else it counts nothing.
    - Without `enforce` it always admits, counts, and notes on the ticket what would have refused.
    - `retry_after` suffices: the same request passes then, if nothing else comes. It is at most a
      slot (a quarter second) more than needed. Where only the end of another request can make
      room (requests at once; reservations of a day or a month), it is a guess: `law.UNKNOWN`.
    - `settle` gives back what was reserved and not spent, and charges what was spent beyond it.
      With None the request never ran: it does not count as one, either.
    - Only the first settlement of a ticket does anything.
    - Cancelling either leaves nothing reserved and loses no settlement.
    - No count ever becomes negative.
    - `read` and `correct` are for what a ledger knows: between a `read`, given back as `before`,
      and `correct` the ledger was asked. What is reserved stays reserved.
    """

    async def reserve(
        self, bounds: Sequence[Bound], demand: Demand, *, enforce: bool = True
    ) -> Ticket | Refused: ...

    async def settle(self, ticket: Ticket, spent: Cost | None) -> None: ...

    async def read(self, scope: Scope) -> Settled: ...

    async def correct(self, scope: Scope, before: Settled, known: Settled) -> None: ...


class LimitStore(Protocol):
    """Keeps the limits that people set for keys and projects; an endpoint keeps its own.

    - `put` adds or replaces.
    - `find` gives None for a scope that has none.
    - `delete` says whether there were any.
    - `list` is sorted by scope.
    """

    async def put(self, bound: Bound) -> None: ...

    async def find(self, scope: Scope) -> Limits | None: ...

    async def delete(self, scope: Scope) -> bool: ...

    async def list(self) -> Sequence[Bound]: ...


class SpentSource(Protocol):
    """What the ledger knows.

    - `find_spent` sums every record of the scope from `since` (seconds since the Unix epoch) on. A
      request must be on record before its ticket is settled.
    """

    async def find_spent(self, scope: Scope, since: float) -> Cost: ...
