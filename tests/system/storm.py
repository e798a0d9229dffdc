"""The server, its engine and its database are killed with -9 again and again while many callers are
served: of what these saw, the ledger must have lost nothing, doubled nothing, miscounted nothing.

    python -m tests.system.storm --kills 100 [--seed N] [--database postgresql]

What is killed when is drawn at random from a seed; what is under way at that moment is not. On
SQLite the ledger's writer is a thread of the server and dies with it; PostgreSQL is killed by
itself, and sometimes the server while it is away.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.conftest import supply_model
from tests.patience import PATIENCE, wait_until
from tests.postgresql import Cluster, cluster
from tests.robustness.processes import children_of, command_of
from tests.running import Cupola, run_json
from tests.system.callers import Caller, Note, Place, Wish
from tests.system.management import Api, expect_none_left
from tests.system.reckoning import (
    INPUT,
    OUTPUT,
    Findings,
    Record,
    check_costs,
    check_sums,
    reckon,
)

MODEL: Final = "Cupola-Pilot"
CALLERS: Final = 12
_LONGEST: Final = 0.8
"""Seconds to the next kill, most times from when some callers have been answered again."""
_LEAST: Final = 5
"""So many."""
_LONGEST_START: Final = 2.0
"""Seconds into a start in which the server is killed again."""
_LONGEST_AWAY: Final = 1.5
"""Seconds for which the database stays away."""
_TOLD: Final = 20
"""Faults that are told of one by one."""
_LIMITS: Final = "/projects/default/endpoints/pilot/limits"
_MANY: Final = 1000
_REPORTS: Final = "/projects/default/usage?since=2w&key=secondary&by="
_COSTS: Final = "/projects/default/cost?since=2w&key=secondary"
_RECORDS: Final = "/projects/default/records?since=2w&key=secondary"
"""The callers' key is the second one: the first is that of the greeting at each start."""


@dataclass
class Storm:
    """Everything that runs, and what is done to it."""

    home: Path
    random: random.Random
    database: Cluster | None
    settings: dict[str, str]
    say: Callable[[str], object]
    crowd: list[Caller] = field(default_factory=list)
    place: Place = field(default_factory=lambda: Place(""))
    kills: Counter[str] = field(default_factory=Counter)
    server: Cupola = field(init=False)

    def start(self) -> Api:
        """Returns when it answers."""
        self.server = Cupola(self.home, settings=self.settings)
        self.place.url = self.server.wait_listening()
        return Api(self.place.url, self.home)

    def rage(self, kills: int) -> None:
        """Kill something so many times; all is well again afterwards."""
        choices = [self._kill_server, self._kill_engine]
        choices += [self._kill_database] if self.database else []
        while (number := self.kills.total()) < kills:
            if self.random.random() < 0.8:
                self._wait_answered(_LEAST)
            time.sleep(self.random.uniform(0.0, _LONGEST))
            self.random.choice(choices)(kills - number)
            done = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
            self.say(f"kill {self.kills.total()}: {done}")

    def _wait_answered(self, least: int) -> None:
        """Callers have been answered, so many times more than until now."""
        wanted = least + sum(each.complete for each in self.crowd)
        answered = wait_until(lambda: sum(each.complete for each in self.crowd) >= wanted)
        assert answered, "Nobody is answered."

    def _kill_server(self, left: int) -> None:
        self._end_server("server")
        if left > 1 and self.random.random() < 0.25:
            self.server = Cupola(self.home, settings=self.settings)
            time.sleep(self.random.uniform(0.0, _LONGEST_START))
            self._end_server("server, starting")
        self.start()

    def _end_server(self, name: str) -> None:
        self.place.url = ""
        self.server.process.kill()
        self.server.process.wait(PATIENCE)
        self.kills[name] += 1
        expect_none_left(self.server.process.pid)

    def _kill_engine(self, left: int) -> None:
        """If it has not come back yet since it was killed, when it is there."""
        found: list[int] = []

        def find() -> bool:
            family = children_of(self.server.process.pid)
            found[:] = [pid for pid in family if "llamacpp" in command_of(pid)]
            return bool(found)

        assert wait_until(find), "The engine does not come back."
        with suppress(ProcessLookupError):
            os.kill(found[0], signal.SIGKILL)
        self.kills["engine"] += 1

    def _kill_database(self, left: int) -> None:
        """It stays away for a moment, in which the server may be killed, too."""
        assert self.database is not None
        self.database.kill()
        self.kills["database"] += 1
        time.sleep(self.random.uniform(0.0, _LONGEST_AWAY))
        both = left > 1 and self.random.random() < 0.3
        if both:
            self._end_server("server, database away")
        self.database.start()
        if both:
            self.start()

    def close(self) -> None:
        """Nothing of it goes on."""
        self.place.over.set()
        if self.server.process.poll() is None:
            self.server.process.kill()
            self.server.process.wait(PATIENCE)


@dataclass(frozen=True)
class Result:
    """What became of it all."""

    kills: Counter[str]
    findings: Findings
    records: Sequence[Record]
    seconds: float

    def write(self) -> Iterator[str]:
        """As a table."""
        found = self.findings
        yield f"{self.kills.total():8} kills in {self.seconds:.0f} s"
        for name, count in sorted(self.kills.items()):
            yield f"{count:8}   {name}"
        yield f"{sum(found.seen.values()) - found.seen['of these on record']:8} requests"
        for name, count in sorted(found.seen.items()):
            yield f"{count:8}   {name}"
        yield f"{len(self.records):8} records"
        for name, count in sorted(found.finishes.items()):
            yield f"{count:8}   {name}"
        for name, count in sorted(found.filled.items()):
            yield f"{count:8}   with {name}"
        yield f"{len(found.lost):8} lost records"
        yield f"{len(found.double):8} double records"
        yield f"{len(found.wrong):8} with other tokens or finish than the caller saw"
        yield f"{len(found.cut):8} cut off, and with other tokens than can be"
        yield f"{len(found.strange):8} records of no request"
        yield f"{len(found.sums):8} roll-ups that are not the sum of their records"
        yield f"{len(found.left):8} things left over"
        yield from found.faults[:_TOLD]


def live(
    home: Path,
    seed: int,
    kills: int,
    say: Callable[[str], object],
    database: Cluster | None = None,
    callers: int = CALLERS,
) -> Result:
    """The whole storm, and what it left."""
    settings = {"CUPOLA_DATABASE_URL": database.create()} if database else {}
    storm = Storm(home, random.Random(seed), database, settings, say)
    began = time.monotonic()
    try:
        api = storm.start()
        api.ask("PUT", _LIMITS, {"concurrent_requests": _MANY})
        price = {"currency": "EUR", "input": str(INPUT), "output": str(OUTPUT)}
        api.ask("PUT", f"/prices/models/{MODEL}", price)
        endpoint = run_json("endpoints", "show", "pilot", home=home)
        storm.place.key = endpoint["secondary_key"]
        storm.crowd += [Caller(storm.place, seed * 1000 + number) for number in range(callers)]
        notes = _suffer(storm, kills)
        api = Api(storm.place.url, home)
        left = _find_open(api) + _find_leak(api, storm.place, notes)
        records = api.read_lines(_RECORDS)
        findings = reckon(notes, records)
        rows = {by: api.ask("GET", _REPORTS + by)["items"] for by in ("hour", "day")}
        check_sums(records, rows, findings)
        check_costs(records, api.ask("GET", _COSTS)["items"], findings)
        storm.server.stop()
        findings.left += [*left, *map(str, (home / "ledger").iterdir())]
        return Result(storm.kills, findings, records, time.monotonic() - began)
    finally:
        storm.close()


def _suffer(storm: Storm, kills: int) -> list[Note]:
    """What callers note who are there all the while."""
    for each in storm.crowd:
        each.start()
    storm.rage(kills)
    storm.place.over.set()
    for each in storm.crowd:
        each.join(PATIENCE)
        assert not each.is_alive(), f"Nobody answers {each.notes[-1]}"
    return [note for each in storm.crowd for note in each.notes]


def _find_open(api: Api) -> list[str]:
    """What the ledger holds back though nothing is under way."""
    names = ("cupola_ledger_open", "cupola_ledger_queue", "cupola_ledger_spooled")
    wait_until(lambda: not any(map(api.read_metric, names)))
    return [f"{name}: {value:g}" for name in names if (value := api.read_metric(name))]


def _find_leak(api: Api, place: Place, notes: list[Note]) -> list[str]:
    """With a single place left, callers one after the other are served if none of those that have
    gone holds one still. Changed limits hold within a second."""
    api.ask("PUT", _LIMITS, {"concurrent_requests": 1})
    until = time.monotonic() + 3.0
    one = Caller(place, seed=0)
    while time.monotonic() < until:
        one.send(place.url, Wish(0, stream=False, openai=False, long=False, answers=1, most=1))
    notes += one.notes
    refused = [note.status for note in one.notes if note.status != 200]
    return [f"refused with {refused[0]} though nothing was under way"] if refused else []


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        home = Path(folder) / "home"
        supply_model(home)
        database = None
        if options.database == "postgresql":
            database = stack.enter_context(cluster())
        result = live(home, options.seed, options.kills, print, database, options.callers)
    print("\n".join(result.write()))
    return 1 if result.findings.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
