"""Budgets: what may be spent in a day, a month or in all, and when to say so. No I/O.

    spent of the budget     what happens
    each of `warn`, once    a notice: in the log, and to the webhook if there is one
    100 % and more          `refuse`: requests are refused until the period is over

Periods are of UTC. A notice is said once for a budget, its period and a share; a change of the
amount does not unsay it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from cupola.kit.errors import Invalid
from cupola.kit.money import LARGEST, Money, format_amount
from cupola.metering.model import DAY, UsageRecord

TOKENS: Final = "tokens"
"""The unit of a budget of tokens, of prompts and completions together."""
_DOORS: Final = ("http", "https")
MOST_SHARES: Final = 10


class Scope(StrEnum):
    """Whose use is counted."""

    PROJECT = "project"
    ENDPOINT = "endpoint"
    KEY = "key"


class Period(StrEnum):
    """When counting begins anew."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent."""

    id: str
    project: str
    scope: Scope
    subject: str
    """The endpoint's name or the key's id; the project's own name if it is the project."""
    unit: str
    """`tokens`, or a currency."""
    amount: int
    """Tokens, or nano-units of the currency."""
    period: Period
    warn: tuple[int, ...] = (80, 100)
    """Per cent of the amount at which a notice is given, rising."""
    refuse: bool = False
    """Whether requests are refused once all of it is spent."""
    webhook: str | None = None
    created: int = 0
    version: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.amount <= LARGEST:
            raise Invalid("A budget is more than nothing.", path=("amount",))
        if self.unit != TOKENS:
            Money(self.amount, self.unit)
        if list(self.warn) != sorted({*self.warn}) or not all(each >= 1 for each in self.warn):
            raise Invalid("Warn at rising shares, in whole per cent from 1 on.", path=("warn",))
        if len(self.warn) > MOST_SHARES:
            raise Invalid(f"Warn at no more than {MOST_SHARES} shares.", path=("warn",))
        if self.scope is Scope.PROJECT and self.subject != self.project:
            raise Invalid("A project's budget is for that project.", path=("subject",))
        if self.webhook is not None:
            _check_url(self.webhook)

    def spell(self, amount: int) -> str:
        """An amount in its unit, for people."""
        return f"{amount} tokens" if self.unit == TOKENS else f"{format_amount(amount)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that was given, and how its delivery stands."""

    id: str
    budget: str
    project: str
    start: int
    """Of the period, in seconds since the Unix epoch; 0 for a budget in all."""
    share: int
    """Per cent."""
    spent: int
    created: int
    url: str | None
    body: str
    """What is delivered, the same at each attempt."""
    attempts: int = 0
    due: int | None = None
    """When to try next; None: delivered, given up, or nowhere to deliver it."""
    delivered: int | None = None
    failure: str = ""
    """Why the last attempt failed, in a sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a budget stands."""

    budget: Budget
    spent: int
    due: tuple[int, ...]
    """Shares to warn of now."""

    @property
    def refused(self) -> bool:
        """Whether nothing more may be spent."""
        return self.budget.refuse and self.spent >= self.budget.amount


def evaluate(budget: Budget, spent: int, said: frozenset[int]) -> Verdict:
    """What `spent` means, where `said` are the shares warned of already in this period."""
    reached = (share for share in budget.warn if spent * 100 >= budget.amount * share)
    return Verdict(budget, spent, tuple(share for share in reached if share not in said))


def start_of(period: Period, now: float) -> int:
    """When the period began that `now` lies in."""
    if period is Period.TOTAL:
        return 0
    if period is Period.DAY:
        return int(now) // DAY * DAY
    return int(datetime.fromtimestamp(now, UTC).replace(day=1).timestamp()) // DAY * DAY


def end_of(period: Period, now: float) -> int | None:
    """When the next one begins; None: never."""
    start = start_of(period, now)
    if period is Period.TOTAL:
        return None
    if period is Period.DAY:
        return start + DAY
    return start_of(Period.MONTH, start + 32 * DAY)


def subjects_of(record: UsageRecord) -> Sequence[tuple[str, Scope, str]]:
    """The project, scope and subject of the budgets that a record may count for."""
    project = record.project
    return (
        (project, Scope.PROJECT, project),
        (project, Scope.ENDPOINT, record.endpoint),
        (project, Scope.KEY, record.key),
    )


class Spending:
    """What was spent by each project, endpoint and key, as rows of a roll-up add to it."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, Scope, str], dict[str, int]] = {}

    def add(
        self, project: str, endpoint: str, key: str, currency: str, tokens: int, cost: int
    ) -> None:
        """A row more."""
        for place in (
            (project, Scope.PROJECT, project),
            (project, Scope.ENDPOINT, endpoint),
            (project, Scope.KEY, key),
        ):
            spent = self.found.setdefault(place, {TOKENS: 0})
            spent[TOKENS] += tokens
            if currency:
                spent[currency] = spent.get(currency, 0) + cost


def spending_of(record: UsageRecord) -> Mapping[str, int]:
    """What a record adds to budgets, by their unit."""
    tokens = record.prompt + record.completion
    return {TOKENS: tokens, record.currency: record.cost} if record.currency else {TOKENS: tokens}


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.scheme not in _DOORS or parts.username or not url.isascii():
        raise Invalid(
            "A webhook is an address as https://HOST/PATH, without a name or password in it.",
            path=("webhook",),
        )
