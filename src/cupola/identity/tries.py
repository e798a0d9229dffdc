"""Failed tries, and how long to wait after them: the answer to guessing.

Tries are counted by what is tried (a name, a code) and by where they come from. After a few that
cost nothing the wait doubles with each. For a name it stays short, because anybody could keep its
owner out by failing on purpose; for a source it grows long.
"""

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cupola.kit.clock import Clock
from cupola.kit.errors import RateLimited

_FORGET = 3600.0
"""Seconds after the last failure in which it is remembered."""
_MOST = 20_000
"""Names and sources remembered; past it the one that has been quiet longest is forgotten."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many tries are free, and how long the wait becomes."""

    free: int
    longest: float
    """Seconds."""


NAME: Final = Patience(free=5, longest=60.0)
SOURCE: Final = Patience(free=20, longest=900.0)


@dataclass(slots=True)
class _Record:
    failures: int
    last: float


class Tries:
    """Counts failures, and says who must wait. It forgets at the end of the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def begin(self, name: str, source: str) -> None:
        """Count a try as failed until it is known better: so none slips by while others run.

        Raises:
            RateLimited: Too many failed before; this one is not counted.
        """
        keys = _keys(name, source)
        wait = max(self._wait(key, patience) for key, patience in keys)
        if wait > 0:
            raise RateLimited(
                f"Too many failed tries. Try again in {math.ceil(wait)} seconds.",
                retry_after=wait,
            )
        for key, _ in keys:
            self._count(key)

    def succeed(self, name: str, source: str) -> None:
        """The try that began was good: its name starts anew, its source gets this one back.

        A source does not start anew, or who has one good password could guess others for ever.
        """
        (of_name, _), (of_source, _) = _keys(name, source)
        self._records.pop(of_name, None)
        if (record := self._records.get(of_source)) is not None:
            record.failures -= 1

    def _wait(self, key: str, patience: Patience) -> float:
        record = self._records.get(key)
        now = self._clock.monotonic()
        if record is None or now - record.last > _FORGET or record.failures < patience.free:
            return 0.0
        delay = min(2.0 ** (record.failures - patience.free), patience.longest)
        return record.last + delay - now

    def _count(self, key: str) -> None:
        now = self._clock.monotonic()
        record = self._records.pop(key, None)
        if record is None or now - record.last > _FORGET:
            record = _Record(0, now)
        record.failures, record.last = record.failures + 1, now
        self._records[key] = record
        while len(self._records) > _MOST:
            self._records.popitem(last=False)


def _keys(name: str, source: str) -> tuple[tuple[str, Patience], tuple[str, Patience]]:
    return (f"name {name}", NAME), (f"source {_network(source)}", SOURCE)


def _network(source: str) -> str:
    """What one caller can choose freely from counts as one: of IPv6, a whole /64."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return source
