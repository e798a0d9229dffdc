"""A day of deploying, scaling, rotating and deleting, during which the server is killed again and
again: what it acknowledged must be there after each start, and nothing half-made.

    python -m tests.system.day --kills 200 [--seed N]

The day is drawn at random from a seed. Of the request that a kill cuts off nobody knows whether it
was done; of every other one, what the reply said must be so.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.running import Cupola, Running, find_processes

MODEL = "Cupola-Pilot"
_LONGEST = 3.0
"""Seconds from the first request after a start to the kill."""
_CONVERGE = 60.0
_MOST_ENDPOINTS = 4
_MOST_REFUSED = 20
"""In a row: a day of nothing but refusals would prove nothing."""
_PROJECT = "day"
_SETTINGS = {"CUPOLA_CORE_QUOTA": "16"}

Want = dict[str, Any]
"""Of an endpoint: what was acknowledged."""


class Refused(Exception):
    """The server said no, and so did nothing."""


class Api:
    """The management API, as a program with the console's token, or another one, sees it."""

    def __init__(self, running: Running, token: str = "") -> None:
        self._url = f"{running.url}/management/v1"
        self._token = token or (running.home / "run" / "console.token").read_text().strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Raises: Refused; OSError if the server is gone."""
        request = urllib.request.Request(
            f"{self._url}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            message = f"{method} {path}: {error.code} {error.read().decode()}"
            if error.code >= 500:
                raise AssertionError(message) from error
            raise Refused(message) from error
        return json.loads(text) if text else None

    def list(self, path: str) -> Iterator[Any]:
        """Every item, page by page."""
        cursor = ""
        while cursor is not None:
            page = self.ask("GET", f"{path}?limit=200{f'&cursor={cursor}' if cursor else ''}")
            yield from page["items"]
            cursor = page["next"]


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
def _killed_after(server: Cupola, seconds: float) -> Iterator[None]:
    """kill -9, from the side, while the block works."""
    timer = threading.Timer(seconds, server.process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def live(home: Path, seed: int, kills: int, say: Callable[[str], object]) -> Day:
    """The whole day; fails with what is wrong, and the seed to see it again."""
    day = Day(random.Random(seed))
    for number in range(1, kills + 1):
        server = Cupola(home, settings=_SETTINGS)
        api = Api(server.wait_ready())
        _ensure_project(api)
        seen = _read(api)
        day.check(api, seen)
        with _killed_after(server, day.random.uniform(0.02, _LONGEST)):
            day.work(api)
        server.process.wait(10)
        day.kills = number
        _expect_none_left(server.process.pid)
        say(f"kill {number}: {day.done} changes acknowledged, {len(day.wanted)} endpoints")
    server = Cupola(home, settings=_SETTINGS)
    try:
        api = Api(server.wait_ready())
        day.check(api, _read(api))
        _converge(api, day.wanted)
    finally:
        server.stop()
    return day


def _ensure_project(api: Api) -> None:
    with suppress(Refused):  # there from an earlier start
        api.ask("POST", "/projects", {"name": _PROJECT})


def _read(api: Api) -> dict[str, Any]:
    return {
        each["name"]: each
        for each in api.list(f"/projects/{_PROJECT}/endpoints")
        if each["name"].startswith("day-")
    }


def _expect_none_left(group: int) -> None:
    """Engines end with the server; the kernel may take a moment to say so."""
    deadline = time.monotonic() + 5.0
    while left := find_processes(group):
        if time.monotonic() > deadline:
            raise AssertionError(f"Processes were left: {left}")
        time.sleep(0.02)


def _converge(api: Api, wanted: Mapping[str, Want]) -> None:
    """What is wanted comes to run, all of it, within a minute."""
    deadline = time.monotonic() + _CONVERGE
    while True:
        seen = _read(api)
        waiting = [
            f"{name}: {each['state']}, {each['reason']}"
            for name, each in seen.items()
            if each["state"] != "ready"
            or any(d["ready"] != wanted[name]["instances"] for d in each["deployments"])
        ]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise AssertionError("\n".join(waiting))
        time.sleep(0.1)


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
