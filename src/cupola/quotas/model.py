"""What is limited, by how much, and what a request is told about it.

    Demand  what a request will need at least, and what it is expected to need on top
      reserve -> Ticket   admitted: the whole demand counts from now on
              -> Refused  some limit would be exceeded; nothing counts
      settle              the ticket's demand becomes what was truly spent: the rest is given back,
                          an overrun is charged

What is made for every request is a named tuple: those are made in a third of a frozen dataclass's
time.

A request passes every limit of every scope it is in (endpoint, project, key), or none counts it.
Tokens of a minute count at the moment of admission; an overrun counts when it is known. Whatever a
person or a header is told is never negative.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple, TypeAlias

from cupola.kit.errors import Invalid

ScopeKind: TypeAlias = Literal["endpoint", "project", "key"]
MOST: Final = 2**53 - 1
"""The greatest limit: Redis' scripts count in doubles, which are exact up to here."""
Header: TypeAlias = tuple[bytes, bytes]


class Scope(NamedTuple):
    """Whose requests are counted together. A tuple, because it is looked up for every request."""

    kind: ScopeKind
    id: str
    """The endpoint's or the project's name; the key's id, never the key."""


OWN_KEYS: Final = ("primary", "secondary")
"""The names of an endpoint's own two keys, which have no ids."""


def scope_of_own_key(endpoint: str, key: str) -> Scope:
    """That of one of an endpoint's own keys: endpoints' names and keys' ids have no slash."""
    return Scope("key", f"{endpoint}/{key}")


def find_own_key(scope: Scope) -> tuple[str, str] | None:
    """The endpoint and which of its own keys the scope is; None: it is none."""
    endpoint, slash, key = scope.id.rpartition("/")
    return (endpoint, key) if scope.kind == "key" and slash else None


class LimitKind(StrEnum):
    """What can be limited; the names of `Limits`' fields."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    CONCURRENT_REQUESTS = "concurrent_requests"
    TOKENS_PER_DAY = "tokens_per_day"
    TOKENS_PER_MONTH = "tokens_per_month"
    MONEY_PER_MONTH = "money_per_month"


_MEANINGS: Final = {
    LimitKind.REQUESTS_PER_MINUTE: "requests per minute",
    LimitKind.TOKENS_PER_MINUTE: "tokens per minute",
    LimitKind.CONCURRENT_REQUESTS: "requests at once",
    LimitKind.TOKENS_PER_DAY: "tokens per day (UTC)",
    LimitKind.TOKENS_PER_MONTH: "tokens per month (UTC)",
    LimitKind.MONEY_PER_MONTH: "per month (UTC)",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a scope may use; None: no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    money_per_month: int | None = None
    """Nano-units of the installation's currency."""

    def __post_init__(self) -> None:
        for name in self.__slots__:  # of each endpoint at each start: `fields` takes ten times that
            value = getattr(self, name)
            if value is not None and not 0 <= value <= MOST:
                raise Invalid(
                    f"{name} must be from 0 to {MOST}, or null for no limit.",
                    path=(name,),
                    value=value,
                )

    @property
    def by_calendar(self) -> bool:
        """Whether anything is limited by day or month, and so must outlive a restart."""
        return not (
            self.tokens_per_day is None
            and self.tokens_per_month is None
            and self.money_per_month is None
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """A scope's limits. Made once, when limits change, and not for every request."""

    scope: Scope
    limits: Limits


class Cost(NamedTuple):
    """Tokens, and nano-units of money; neither is ever negative."""

    tokens: int = 0
    money: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """What 1,000 tokens cost, in nano-units."""

    input: int = 0
    output: int = 0


class Demand(NamedTuple):
    """What one request will need."""

    certain: Cost
    """Of the prompt."""
    expected: Cost = Cost()
    """Of the completion: a guess."""


class Allowance(NamedTuple):
    """What one limit has left."""

    limit: int
    remaining: int
    reset: float
    """Seconds until all of it is free again, if nothing else comes."""


class Standing(NamedTuple):
    """Of the limits per minute that apply, those with the least left; None: there is none."""

    requests: Allowance | None = None
    tokens: Allowance | None = None


NO_STANDING: Final = Standing()


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that some limit has no room for. A value, not an error: it is normal."""

    limit: LimitKind
    """The one that takes longest to have room."""
    scope: Scope
    value: int
    retry_after: float | None
    """Seconds after which it fits, if nothing else comes; None: it never will."""
    standing: Standing = NO_STANDING


@dataclass(slots=True)
class Ticket:
    """An admitted request, to be settled exactly once; a second settlement does nothing."""

    id: str
    bounds: Sequence[Bound]
    reserved: Cost
    slot: int
    """When it was admitted, as `law.find_slot` numbers it."""
    standing: Standing
    exceeded: Refused | None = None
    """Which limit would have refused it, had limits been enforced."""
    counted: bool = True
    """False: the counters were away and it was let through."""
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Settled:
    """What a scope has spent for good in its present day and month."""

    day: int
    month: int
    day_tokens: int = 0
    month_tokens: int = 0
    month_money: int = 0


def price(rate: Rate, prompt: int, completion: int) -> Demand:
    """The demand of so many tokens. Money is rounded up: a reservation is never too small."""
    return Demand(
        Cost(prompt, -(-prompt * rate.input // 1000)),
        Cost(completion, -(-completion * rate.output // 1000)),
    )


def fit(bounds: Sequence[Bound], demand: Demand) -> Cost:
    """What to reserve: a mere guess must not make a request too large for a limit for ever."""
    certain, expected = demand.certain, demand.expected
    tokens = certain.tokens + expected.tokens
    money = certain.money + expected.money
    for bound in bounds:
        limits = bound.limits
        if (most := limits.tokens_per_minute) is not None and tokens > most:
            tokens = max(certain.tokens, most)
        if (most := limits.tokens_per_day) is not None and tokens > most:
            tokens = max(certain.tokens, most)
        if (most := limits.tokens_per_month) is not None and tokens > most:
            tokens = max(certain.tokens, most)
        if (most := limits.money_per_month) is not None and money > most:
            money = max(certain.money, most)
    return Cost(tokens, money)


def least(one: Allowance | None, other: Allowance | None) -> Allowance | None:
    """The one with less left."""
    if one is None or other is None:
        return one or other
    return other if other.remaining < one.remaining else one


def longest(one: Refused | None, other: Refused) -> Refused:
    """The one that takes longer to have room."""
    if one is None or other.retry_after is None:
        return other
    if one.retry_after is None:
        return one
    return other if other.retry_after > one.retry_after else one


def explain(refused: Refused) -> str:
    """The refusal as sentences for the caller. A key is not named: its id means nothing to them."""
    scope = refused.scope
    who = "This key" if scope.kind == "key" else f"The {scope.kind} {scope.id!r}"
    value = f"{refused.value:,}"
    if refused.limit is LimitKind.MONEY_PER_MONTH:
        units, nano = divmod(refused.value, 10**9)
        value = f"a cost of {units:,}.{nano:09}".rstrip("0").rstrip(".")
    allowed = f"{who} is limited to {value} {_MEANINGS[refused.limit]}."
    if refused.value == 0:
        return f"{allowed} Ask for a higher limit."
    if refused.retry_after is None:
        return f"{allowed} This request alone needs more. Shorten it, or ask for a higher limit."
    seconds = math.ceil(refused.retry_after)
    return f"{allowed} Try again in {seconds:,} second{'' if seconds == 1 else 's'}."


def write_headers(outcome: Ticket | Refused) -> list[Header]:
    """What the reply's head says of limits, also of an admitted request's."""
    requests, tokens = outcome.standing
    found: list[Header] = []
    if requests is not None:
        limit, remaining, reset = requests
        found = [
            (b"x-ratelimit-limit-requests", b"%d" % limit),
            (b"x-ratelimit-remaining-requests", b"%d" % remaining),
            (b"x-ratelimit-reset-requests", b"%d" % math.ceil(reset)),
        ]
    if tokens is not None:
        limit, remaining, reset = tokens
        found += (
            (b"x-ratelimit-limit-tokens", b"%d" % limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % remaining),
            (b"x-ratelimit-reset-tokens", b"%d" % math.ceil(reset)),
        )
    if isinstance(outcome, Refused) and outcome.retry_after is not None:
        # Rounded up both: a caller that keeps to either is not early.
        found.append((b"retry-after", b"%d" % max(1, math.ceil(outcome.retry_after))))
        found.append((b"retry-after-ms", b"%d" % max(1, math.ceil(outcome.retry_after * 1000))))
    return found


@dataclass(frozen=True, slots=True)
class RedisStatistics:
    """Since the process started."""

    outages: int
    failures: int
    """Calls that Redis did not answer, and that were not tried because of that."""
    is_away: bool
