"""The shop window of the fakes, for tests here and for whoever builds on Cupola.

Each stands in for the real thing behind the same port and passes the same contract suite in
`tests/contract`.
"""

from cupola.audit.memory import MemoryAudit, MemoryWork
from cupola.catalog.memory import (
    MemoryDisk,
    MemoryEntries,
    MemoryHub,
    MemoryOwnEntries,
    MemoryShelf,
    MemoryWeightStore,
)
from cupola.control.memory import MemoryModels, MemoryPeople, MemoryReplies
from cupola.deployments.memory import (
    MemoryEndpoints,
    MemoryInstanceTypes,
    MemoryIntervals,
    MemoryMemoryUse,
    ToldFleet,
)
from cupola.engines.echo import EchoReplica
from cupola.gateway.memory import MemoryObserver
from cupola.gateway.meter import Unmetered
from cupola.identity.memory import MemorySessions, MemoryUsers
from cupola.keys.memory import MemoryProjectKeys, MemorySecret
from cupola.kit.clock import FakeClock
from cupola.metering.memory import (
    MemoryBudgets,
    MemoryNotices,
    MemoryPrices,
    MemoryRecords,
)
from cupola.projects.memory import MemoryProjects
from cupola.quotas.memory import MemoryCounters, MemoryLimits
from cupola.subscriptions.memory import MemorySubscriptions
from cupola.tokens.memory import MemoryKeySource

__all__ = [
    "EchoReplica",
    "FakeClock",
    "MemoryAudit",
    "MemoryBudgets",
    "MemoryCounters",
    "MemoryDisk",
    "MemoryEndpoints",
    "MemoryEntries",
    "MemoryHub",
    "MemoryInstanceTypes",
    "MemoryIntervals",
    "MemoryKeySource",
    "MemoryLimits",
    "MemoryMemoryUse",
    "MemoryModels",
    "MemoryNotices",
    "MemoryObserver",
    "MemoryOwnEntries",
    "MemoryPeople",
    "MemoryPrices",
    "MemoryProjectKeys",
    "MemoryProjects",
    "MemoryRecords",
    "MemoryReplies",
    "MemorySecret",
    "MemorySessions",
    "MemoryShelf",
    "MemorySubscriptions",
    "MemoryUsers",
    "MemoryWeightStore",
    "MemoryWork",
    "ToldFleet",
    "Unmetered",
]
