"""Hours of days that are over, kept in memory: what they came to seldom changes any more.

A report by the hour over months adds up millions of rows of the hourly roll-ups, though all but the
last day's came to the same the last time somebody asked. So each day's part of such a report is
kept with the number of requests that the day had then, of everybody: records are only ever added,
so a day with as many requests is the same day, and one that a late record reached is read again.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Final

from cupola.metering.usage import UsageRow

_MOST: Final = 50_000
"""Rows of all reports together: some 20 MB."""


class KeptDays:
    """The days of reports that were asked for lately."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._rows = 0
        self._days: OrderedDict[tuple[int, Hashable], tuple[int, Sequence[UsageRow]]]
        self._days = OrderedDict()

    def find(self, day: int, report: Hashable, requests: int) -> Sequence[UsageRow] | None:
        """A day's part of a report, if the day still has so many requests."""
        kept = self._days.get((day, report))
        if kept is None or kept[0] != requests:
            return None
        self._days.move_to_end((day, report))
        return kept[1]

    def keep(self, day: int, report: Hashable, requests: int, rows: Sequence[UsageRow]) -> None:
        """Remember a day's part of a report; those that nobody asked for longest are forgotten."""
        before = self._days.pop((day, report), None)
        self._days[day, report] = (requests, rows)
        self._rows += _weigh(rows) - (_weigh(before[1]) if before else 0)
        while self._rows > self._most:
            _, (_, forgotten) = self._days.popitem(last=False)
            self._rows -= _weigh(forgotten)


def _weigh(rows: Sequence[UsageRow]) -> int:
    return len(rows) + 1  # a day on which nothing was used takes room, too
