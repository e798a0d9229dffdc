"""The shop window of the fakes, for tests here and for whoever builds on Cupola.

Each stands in for the real thing behind the same port and passes the same contract suite in
`tests/contract`.
"""

from cupola.catalog.memory import MemoryEntries, MemoryShelf
from cupola.deployments.memory import MemoryEndpoints
from cupola.engines.echo import EchoReplica
from cupola.keys.memory import MemorySecret
from cupola.kit.clock import FakeClock
from cupola.metering.memory import (
    MemoryBudgets,
    MemoryIntervals,
    MemoryNotices,
    MemoryPrices,
    MemoryRecords,
)

__all__ = [
    "EchoReplica",
    "FakeClock",
    "MemoryBudgets",
    "MemoryEndpoints",
    "MemoryEntries",
    "MemoryIntervals",
    "MemoryNotices",
    "MemoryPrices",
    "MemoryRecords",
    "MemorySecret",
    "MemoryShelf",
]
