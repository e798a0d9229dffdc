"""The law of the limits, as arithmetic on whole numbers: docs/decisions/0023-limits.md.

*A minute* is a sliding window. What was admitted lies in slots of a quarter second, and a slot
counts until its latest moment is a minute old: no period of a minute ever holds more than the
limit, and nothing counts more than a quarter second too long. The whole limit may come at once.

*A day* and *a month* are the calendar's, in UTC, as bills are.

`quotas/law.lua` says the same for Redis; one contract suite holds both to it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

SLOTS_PER_SECOND: Final = 4
SLOTS: Final = 60 * SLOTS_PER_SECOND + 1
"""How many count at once: those that are wholly within a minute, and the one that partly is."""
DAY: Final = 86_400
UNKNOWN: Final = 1.0
"""Seconds after which to try again where only the end of another request frees something."""


def find_slot(now: float) -> int:
    """The number of the slot that `now` lies in."""
    return int(now * SLOTS_PER_SECOND)


def find_end(slot: int) -> float:
    """When a slot stops to count."""
    return (slot + SLOTS) / SLOTS_PER_SECOND


class Window:
    """What was admitted within the last minute, of requests or of tokens.

    Every verb takes the present slot. Slots never run backwards.
    """

    __slots__ = ("_oldest", "_slots", "newest", "used")

    def __init__(self, slot: int) -> None:
        self._slots: dict[int, int] = {}
        self._oldest = slot
        self.newest = slot
        """The last one that anything was added to."""
        self.used = 0

    def advance(self, slot: int) -> None:
        """Forget what is older than a minute."""
        first = slot - SLOTS + 1
        if first <= self._oldest:
            return
        # Nothing lies further from the oldest than a window is long: whoever added it advanced.
        for old in range(self._oldest, min(first, self._oldest + SLOTS)):
            self.used -= self._slots.pop(old, 0)
        self._oldest = first

    def add(self, slot: int, amount: int) -> None:
        """Count `amount` as of now."""
        self._slots[slot] = self._slots.get(slot, 0) + amount
        self.newest = slot
        self.used += amount

    def give_back(self, slot: int, amount: int) -> None:
        """Count `amount` less in the slot where it was added, if that still counts."""
        given = min(amount, self._slots.get(slot, 0))
        if given:
            self._slots[slot] -= given
            self.used -= given

    def find_free(self, needed: int) -> float:
        """When `needed` more than now will have stopped to count, of the `used` that do."""
        freed = 0
        for slot, amount in self._slots.items():  # in the order of time, as they were added
            freed += amount
            if freed >= needed:
                return find_end(slot)
        raise AssertionError(f"{needed} of {self.used} cannot become free")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The day and the month of a moment, numbered so that later ones are greater."""

    day: int
    month: int
    day_ends: float
    month_ends: float


def read_calendar(now: float) -> Calendar:
    """The day and the month that `now`, seconds since the Unix epoch, lies in."""
    day = int(now // DAY)
    date = datetime.fromtimestamp(now, UTC)
    month = date.year * 12 + date.month - 1
    return Calendar(day, month, float((day + 1) * DAY), _begin(month + 1))


def find_starts(calendar: Calendar) -> tuple[float, float]:
    """When the calendar's day and its month began."""
    return calendar.day_ends - DAY, _begin(calendar.month)


def correct(settled: int, before: int, known: int) -> int:
    """What is settled by the word of a ledger.

    While it was asked (it said `known`), `settled` grew from `before`, and whether the ledger's
    answer holds that growth, nobody knows. Within that doubt our own count is the better one.
    """
    return min(max(settled, known), known + max(0, settled - before))


def _begin(month: int) -> float:
    year, index = divmod(month, 12)
    return datetime(year, index + 1, 1, tzinfo=UTC).timestamp()
