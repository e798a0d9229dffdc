"""Time as an argument: the only module that asks the machine what time it is."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Two kinds of time, never mixed."""

    def now(self) -> float:
        """Seconds since the Unix epoch, for people and for the wire."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for deadlines and durations."""
        ...


class SystemClock:
    """The machine's own clocks, without a call of ours between: each request reads them often."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@dataclass
class FakeClock:
    """A clock that stands still until it is told to go on. Shipped for tests."""

    seconds: float = 1_700_000_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.seconds += seconds
