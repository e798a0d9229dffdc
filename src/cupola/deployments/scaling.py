"""How many replicas a load wants: a pure decision, advanced once a second.

    load      = generations under way and waiting, smoothed, so that a burst of a second starts none
    needed    = so many replicas that each is at most `TARGET` full
    wanted    = the most that was needed in the last `idle` seconds, so that one leaves only when it
                was not needed for that long

Who waits in vain needs a replica at once: from none to one nothing is smoothed.
"""

import math
from dataclasses import dataclass
from typing import Final

TARGET: Final = 0.75
"""Of a replica's slots: beyond, replies begin to wait for one another."""
SMOOTHING: Final = 3.0
"""Seconds after which a change of load counts by two thirds."""
NOTHING: Final = 0.05
"""Generations, smoothed, that count as none: some ten seconds after the last one."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What is remembered of a load."""

    load: float = 0.0
    at: float = 0.0
    """Seconds of the monotonic clock at which `load` held."""
    wanted: int = 0
    since: float = 0.0
    """When `wanted` was last needed."""


def advance(trend: Trend, load: int, slots: int, now: float, idle: float, least: int = 0) -> Trend:
    """The trend with what is seen now.

    Args:
        load: Generations under way and requests that wait.
        slots: Generations that one replica runs at once.
        idle: Seconds without need after which a replica goes.
        least: Replicas that are needed whatever the load is.
    """
    elapsed = now - trend.at if trend.at else 1.0
    share = 1 - math.exp(-elapsed / SMOOTHING)
    smoothed = trend.load + (load - trend.load) * share
    needed = 0 if smoothed < NOTHING else math.ceil(smoothed / (slots * TARGET))
    needed = max(needed, least, 1 if load else 0)
    if needed >= trend.wanted or now - trend.since >= idle:
        return Trend(smoothed, now, needed, now)
    return Trend(smoothed, now, trend.wanted, trend.since)
