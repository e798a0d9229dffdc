"""A day of deploying, scaling, rotating and deleting, during which the server is killed again and
again: what it acknowledged must be there after each start, and nothing half-made.

    python -m tests.system.day --kills 200 [--seed N]

The day is drawn at random from a seed. Of the request that a kill cuts off nobody knows whether it
was done; of every other one, what the reply said must be so.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE, wait_until
from tests.running import Cupola
from tests.system.management import Api, Refused, expect_none_left

MODEL = "Cupola-Pilot"
_LEAST = 2
"""Changes that are acknowledged between a start and the kill,"""
_LONGEST = 2.5
"""and the seconds after them."""
_MOST_ENDPOINTS = 4
_MOST_REFUSED = 20
"""In a row: a day of nothing but refusals would prove nothing."""
_PROJECT = "day"
_SETTINGS = {"CUPOLA_CORE_QUOTA": "16"}

Want = dict[str, Any]
"""Of an endpoint: what was acknowledged."""


@dataclass
class Action:
    """One request, and what is so once it is acknowledged."""

    name: str
    """As the audit log calls it."""
    target: str
    method: str
    path: str
    body: object
    apply: Callable[[dict[str, Want]], None]


@dataclass
class Day:
    """What has been acknowledged so far."""

    random: random.Random
    wanted: dict[str, Want] = field(default_factory=dict)
    done: int = 0
    made: int = 0
    kills: int = 0
    doubtful: list[Action] = field(default_factory=list)
    """Cut off by a kill: done or not."""

    def work(self, api: Api) -> None:
        """One request after the other, until the server is gone."""
        refused = 0
        while True:
            action = self._choose()
            try:
                api.ask(action.method, action.path, action.body)
            except Refused as error:
                refused += 1
                if refused > _MOST_REFUSED:
                    raise AssertionError("Everything is refused.") from error
                continue
            except (OSError, HTTPException):
                self.doubtful = [action]
                return
            refused = 0
            action.apply(self.wanted)
            self.done += 1

    def _choose(self) -> Action:
        names = sorted(self.wanted)
        if not names or (len(names) < _MOST_ENDPOINTS and self.random.random() < 0.2):
            return self._create()
        name = self.random.choice(names)
        managed = [each for each in names if self.wanted[each]["kind"] == "managed"]
        choices: list[Callable[[], Action]] = [
            lambda: self._regenerate(name),
            lambda: self._describe(name),
        ]
        if managed:
            choices.append(lambda: self._scale(self.random.choice(managed)))
        if len(names) > 1:
            choices.append(lambda: self._delete(name))
        return self.random.choice(choices)()

    def _create(self) -> Action:
        self.made += 1
        name = f"day-{self.made}"
        kind = self.random.choice(["serverless", "managed"])
        if kind == "serverless" and any(w["kind"] == kind for w in self.wanted.values()):
            kind = "managed"  # one serverless deployment of a model in a project
        body: dict[str, Any] = {"name": name, "kind": kind, "model": MODEL}
        if kind == "managed":
            body |= {"instance_type": "small", "instances": 1, "deployment": "blue"}
        else:
            body["accept_terms"] = True

        def apply(wanted: dict[str, Want]) -> None:
            wanted[name] = {"kind": kind, "instances": 1, "keys": 0, "description": ""}

        return Action("endpoints.create", name, "POST", self._at(""), body, apply)

    def _delete(self, name: str) -> Action:
        def apply(wanted: dict[str, Want]) -> None:
            del wanted[name]

        return Action("endpoints.delete", name, "DELETE", self._at(f"/{name}"), None, apply)

    def _regenerate(self, name: str) -> Action:
        def apply(wanted: dict[str, Want]) -> None:
            wanted[name]["keys"] += 1

        path = self._at(f"/{name}/keys/regenerate")
        return Action("keys.regenerate", name, "POST", path, {"key": "primary"}, apply)

    def _describe(self, name: str) -> Action:
        text = f"edition {self.random.randrange(10**6)}"

        def apply(wanted: dict[str, Want]) -> None:
            wanted[name]["description"] = text

        body = {"description": text}
        return Action("endpoints.update", name, "PATCH", self._at(f"/{name}"), body, apply)

    def _scale(self, name: str) -> Action:
        instances = 3 - int(self.wanted[name]["instances"])

        def apply(wanted: dict[str, Want]) -> None:
            wanted[name]["instances"] = instances

        path = self._at(f"/{name}/deployments/blue")
        return Action("deployments.update", name, "PATCH", path, {"instances": instances}, apply)

    def _at(self, rest: str) -> str:
        return f"/projects/{_PROJECT}/endpoints{rest}"

    def check(self, api: Api, seen: Mapping[str, Any]) -> None:
        """What is there now is what was acknowledged, with or without what was cut off."""
        found = {
            name: {
                "kind": each["kind"],
                "instances": each["deployments"][0]["instances"] or 1,
                "description": each["description"],
            }
            for name, each in seen.items()
        }
        after = {name: dict(want) for name, want in self.wanted.items()}
        for action in self.doubtful:
            action.apply(after)
        for candidate in (self.wanted, after):
            shown = {n: {k: v for k, v in w.items() if k != "keys"} for n, w in candidate.items()}
            if shown == found and self._check_audit(api, candidate):
                self.wanted = candidate
                self.doubtful = []
                return
        raise AssertionError(
            f"Neither {self.wanted}\nnor {after}\nbut {found} is there. Cut off: {self.doubtful}"
        )

    def _check_audit(self, api: Api, candidate: Mapping[str, Want]) -> bool:
        """One line for each change, the one that was cut off included if it was made."""
        lines = [
            line
            for line in api.list(f"/projects/{_PROJECT}/audit")
            if line["target"].startswith("day-")
        ]
        for name, want in candidate.items():
            rotated = [
                line
                for line in lines
                if line["target"].split("/")[0] == name and line["action"] == "keys.regenerate"
            ]
            if len(rotated) != want["keys"]:
                return False
        return self.done <= len(lines) <= self.done + self.kills  # one cut off by each, perhaps


@contextmanager
def _killed_in_time(day: Day, server: Cupola) -> Iterator[None]:
    """kill -9, from the side, while the block works, and not before it has done something."""
    enough, seconds = day.done + _LEAST, day.random.uniform(0.02, _LONGEST)

    def kill() -> None:
        wait_until(lambda: day.done >= enough)
        time.sleep(seconds)
        server.process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()


def live(home: Path, seed: int, kills: int, say: Callable[[str], object]) -> Day:
    """The whole day; fails with what is wrong, and the seed to see it again."""
    day = Day(random.Random(seed))
    for number in range(1, kills + 1):
        server = Cupola(home, settings=_SETTINGS)
        api = _open(server)
        _ensure_project(api)
        seen = _read(api)
        day.check(api, seen)
        with _killed_in_time(day, server):
            day.work(api)
        server.process.wait(PATIENCE)
        day.kills = number
        expect_none_left(server.process.pid)
        say(f"kill {number}: {day.done} changes acknowledged, {len(day.wanted)} endpoints")
    server = Cupola(home, settings=_SETTINGS)
    try:
        api = _open(server)
        day.check(api, _read(api))
        _converge(api, day.wanted)
    finally:
        server.stop()
    return day


def _open(server: Cupola) -> Api:
    return Api(server.wait_listening(), server.home)


def _ensure_project(api: Api) -> None:
    with suppress(Refused):  # there from an earlier start
        api.ask("POST", "/projects", {"name": _PROJECT})


def _read(api: Api) -> dict[str, Any]:
    return {
        each["name"]: each
        for each in api.list(f"/projects/{_PROJECT}/endpoints")
        if each["name"].startswith("day-")
    }


def _converge(api: Api, wanted: Mapping[str, Want]) -> None:
    """What is wanted comes to run, all of it."""
    if not wait_until(lambda: not _list_waiting(api, wanted)):
        raise AssertionError("\n".join(_list_waiting(api, wanted)))


def _list_waiting(api: Api, wanted: Mapping[str, Want]) -> list[str]:
    return [
        f"{name}: {each['state']}, {each['reason']}"
        for name, each in _read(api).items()
        if each["state"] != "ready"
        or any(d["ready"] != wanted[name]["instances"] for d in each["deployments"])
    ]


def main(arguments: Sequence[str]) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        day = live(Path(folder) / "home", options.seed, options.kills, print)
    print(f"{options.kills} kills, {day.done} changes acknowledged, none lost, nothing left over.")


if __name__ == "__main__":
    main(sys.argv[1:])
