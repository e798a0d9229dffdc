"""The numbers of the parts, beside those of requests: each source asks one part for its own."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cupola import __version__
from cupola.db.watch import WatchStatistics
from cupola.deployments.machine import read_resident
from cupola.deployments.model import Address
from cupola.deployments.pool import DeploymentPool
from cupola.metering.writer import LedgerStatistics
from cupola.quotas.model import RedisStatistics
from cupola.quotas.service import Statistics as LimitStatistics
from cupola.telemetry.metrics import Family, Kind, Reading, Sample

_PLACE: Final = ("cupola_endpoint", "cupola_deployment")
_DESCRIPTORS: Final = Path("/proc/self/fd")


def _counter(name: str, meaning: str, *labels: str) -> Family:
    return Family(name, Kind.COUNTER, meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Family:
    return Family(name, Kind.GAUGE, meaning, labels)


def _one(value: float) -> list[Sample]:
    return [((), value)]


class ProcessSource:
    """This process: named as Prometheus's own libraries name these."""

    INFO: Final = _gauge("cupola_build_info", "Always 1; the version is in the label.", "version")
    MEMORY: Final = _gauge("process_resident_memory_bytes", "Memory that the process holds.")
    CPU: Final = _counter("process_cpu_seconds_total", "Processor time that it took.")
    FILES: Final = _gauge("process_open_fds", "Files and connections that it holds open.")
    START: Final = _gauge("process_start_time_seconds", "When it started, since the Unix epoch.")
    families: Sequence[Family] = (INFO, MEMORY, CPU, FILES, START)

    def __init__(self, started: float) -> None:
        self._started = started

    def read(self) -> Iterator[Reading]:
        yield self.INFO, [((__version__,), 1)]
        resident = read_resident(os.getpid())
        if resident is not None:
            yield self.MEMORY, _one(resident)
        used = os.times()
        yield self.CPU, _one(used.user + used.system)
        if _DESCRIPTORS.is_dir():
            yield self.FILES, _one(sum(1 for _ in _DESCRIPTORS.iterdir()))
        yield self.START, _one(self._started)


class FleetSource:
    """What stands behind deployments."""

    REPLICAS: Final = _gauge(
        "cupola_replicas",
        "Replicas behind a deployment, by state; one that several share is counted at each.",
        *_PLACE,
        "state",
    )
    WANTED: Final = _gauge("cupola_replicas_wanted", "Replicas that it should have.", *_PLACE)
    STATE: Final = _gauge("cupola_deployment_state", "1 for the state it is in.", *_PLACE, "state")
    BUSY: Final = _gauge(
        "cupola_generations", "Generations under way in the replicas behind it.", *_PLACE
    )
    WAITING: Final = _gauge(
        "cupola_requests_waiting", "Requests that wait for one of its replicas.", *_PLACE
    )
    DOWNLOADS: Final = _gauge("cupola_downloads", "Downloads of weights under way.")
    families: Sequence[Family] = (REPLICAS, WANTED, STATE, BUSY, WAITING, DOWNLOADS)

    def __init__(
        self,
        list_pools: Callable[[], Sequence[tuple[Address, DeploymentPool]]],
        count_downloads: Callable[[], int],
    ) -> None:
        self._list_pools = list_pools
        self._count_downloads = count_downloads

    def read(self) -> Iterator[Reading]:
        pools = [
            ((str(address.endpoint), str(address.deployment)), pool)
            for address, pool in self._list_pools()
        ]
        known = [(place, pool.status) for place, pool in pools]
        yield (
            self.REPLICAS,
            (
                ((*place, state.value), number)
                for place, pool in pools
                for state, number in pool.count_replicas().items()
            ),
        )
        yield self.WANTED, ((place, status.wanted) for place, status in known if status)
        yield (
            self.STATE,
            (((*place, status.state.value), 1) for place, status in known if status),
        )
        yield (
            self.BUSY,
            ((place, sum(each.busy for each in pool.ready())) for place, pool in pools),
        )
        yield self.WAITING, ((place, pool.waiting) for place, pool in pools)
        yield self.DOWNLOADS, _one(self._count_downloads())


class WatchSource:
    """How fresh that is by which requests are served."""

    AGE: Final = _gauge(
        "cupola_snapshot_age_seconds",
        "Since the database was read last; grows only while it cannot be.",
    )
    CHANGES: Final = _counter("cupola_database_changes_total", "Changes of the database seen.")
    FAILURES: Final = _counter(
        "cupola_database_failures_total", "Times that the database could not be read."
    )
    families: Sequence[Family] = (AGE, CHANGES, FAILURES)

    def __init__(self, statistics: Callable[[], WatchStatistics]) -> None:
        self._statistics = statistics

    def read(self) -> Iterator[Reading]:
        now = self._statistics()
        yield self.AGE, _one(now.age)
        yield self.CHANGES, _one(now.changes)
        yield self.FAILURES, _one(now.failures)


class LedgerSource:
    """The writer of the ledger."""

    _FIELDS: Final = {
        "open": _gauge("cupola_ledger_open", "Requests whose record is not written yet."),
        "waiting": _gauge("cupola_ledger_queue", "Records that wait to become durable."),
        "lag": _gauge("cupola_ledger_lag_seconds", "How long the oldest of these has waited."),
        "written": _counter("cupola_ledger_records_total", "Records in the database."),
        "commits": _counter("cupola_ledger_commits_total", "Commits that these took."),
        "failures": _counter("cupola_ledger_failures_total", "Tries to write that failed."),
        "spooled": _gauge(
            "cupola_ledger_spooled", "Durable records that wait for the database to come back."
        ),
        "spool_size": _gauge("cupola_ledger_spool_bytes", "The size of the file they are in."),
        "recovered": _counter(
            "cupola_ledger_recovered_total", "Records that earlier processes had left behind."
        ),
    }
    families: Sequence[Family] = tuple(_FIELDS.values())

    def __init__(self, statistics: Callable[[], LedgerStatistics]) -> None:
        self._statistics = statistics

    def read(self) -> Iterator[Reading]:
        now = self._statistics()
        for name, family in self._FIELDS.items():
            yield family, _one(getattr(now, name))


class LimitSource:
    """The limiter, and Redis if it counts there."""

    ADMITTED: Final = _counter("cupola_limit_admitted_total", "Requests within all limits.")
    REFUSED: Final = _counter(
        "cupola_limit_refusals_total",
        "Requests beyond a limit, by its kind; in the shadow mode too.",
        "limit",
    )
    UNCOUNTED: Final = _counter(
        "cupola_limit_uncounted_total", "Requests admitted because the counters were away."
    )
    WAITED: Final = _counter("cupola_limit_waited_total", "Requests that stood in a line.")
    WAITING: Final = _gauge("cupola_limit_waiting", "Requests that stand in a line now.")
    AWAY: Final = _gauge("cupola_redis_away", "1 while Redis does not answer.")
    OUTAGES: Final = _counter("cupola_redis_outages_total", "Times that it stopped answering.")
    FAILURES: Final = _counter("cupola_redis_failures_total", "Calls that it did not answer.")
    families: Sequence[Family] = (
        ADMITTED, REFUSED, UNCOUNTED, WAITED, WAITING, AWAY, OUTAGES, FAILURES,
    )  # fmt: skip

    def __init__(
        self,
        statistics: Callable[[], LimitStatistics],
        redis: Callable[[], RedisStatistics] | None = None,
    ) -> None:
        self._statistics = statistics
        self._redis = redis

    def read(self) -> Iterator[Reading]:
        now = self._statistics()
        yield self.ADMITTED, _one(now.admitted)
        yield self.REFUSED, [((kind.value,), number) for kind, number in now.refused.items()]
        yield self.UNCOUNTED, _one(now.uncounted)
        yield self.WAITED, _one(now.waited)
        yield self.WAITING, _one(now.waiting)
        if self._redis is not None:
            redis = self._redis()
            yield self.AWAY, _one(int(redis.is_away))
            yield self.OUTAGES, _one(redis.outages)
            yield self.FAILURES, _one(redis.failures)
