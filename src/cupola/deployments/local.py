"""This machine, as a place where replicas run."""

from collections.abc import Callable
from pathlib import Path

from cupola.deployments.fit import Machine
from cupola.deployments.machine import read_machine, read_resident
from cupola.deployments.ports import EngineFactory, Order, Survey
from cupola.deployments.situation import Cohort
from cupola.engines.port import Replica


class LocalCompute:
    """A `Compute` whose replicas are child processes.

    Args:
        engines: Makes them.
        find_process: The id of a replica's process, where it has one.
        cores: Those that this process may use.
    """

    def __init__(
        self, engines: EngineFactory, find_process: Callable[[Replica], int | None], cores: int
    ) -> None:
        self._engines = engines
        self._find_process = find_process
        self._cores = cores

    def survey(self, cohort: Cohort, weights: Path | None) -> Survey:
        return self._engines.survey(cohort, weights)

    def make(self, order: Order) -> Replica:
        return self._engines.make(order)

    def read_machine(self) -> Machine:
        return read_machine(self._cores)

    def find_process(self, replica: Replica) -> int | None:
        return self._find_process(replica)

    def measure(self, replica: Replica) -> int | None:
        pid = self._find_process(replica)
        return read_resident(pid) if pid is not None else None
