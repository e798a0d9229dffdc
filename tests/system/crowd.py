"""A crowd against every limit: 64 clients at once, one gateway and two, and what they got.

    python -m tests.system.crowd [--clients 64] [--requests 100] [--seconds 0]
        [--kind K] [--scope S] [--gateways N]

Every limit in turn is set on a new endpoint, project or project key of servers that run for real,
and clients ask until nothing more is admitted. Two gateways share a Redis and a PostgreSQL. Of the
admitted, the ledger says what they used. The law, by which this command fails or not:

- No more is admitted than the limit allows, but for one request.
- Of the requests that fit, 1 in 100 is refused at most.

Both are told only of what is certain, whatever the machine was busy with: a request was admitted at
some time between its sending and its head's arrival, refused between sending and refusal, and it
ran at least from its head's arrival to the end that the ledger knows. With `--seconds` the crowd
goes on for so long, over the minutes' ends.
"""

import argparse
import http.client
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count, cycle
from pathlib import Path
from typing import Any, Final

from cupola.kit.clock import SystemClock
from cupola.quotas.law import DAY, SLOTS_PER_SECOND
from cupola.quotas.model import LimitKind
from tests.conftest import supply_model
from tests.postgresql import cluster
from tests.redis_server import redis_server
from tests.running import Running, cupola
from tests.system.management import Api

SCOPES: Final = ("endpoint", "project", "key")
_MODEL: Final = "Cupola-Pilot"
_SETTINGS: Final = {"CUPOLA_ENGINE_SLOTS": "16"}
"""More than any case lets run at once: an engine that is busy must not do the limiter's work."""
_AT_ONCE: Final = 8
_ROUNDS: Final = 8
"""Requests of each client, where what ends makes room again."""
_REFUSALS: Final = 3
"""In a row, after which a client believes that there is no room."""
_PAUSE: Final = 0.02
_PATIENCE: Final = 60.0
_AWAY: Final = 503
_MINUTE: Final = 60.0
_MONEY_A_TOKEN: Final = 10**6
"""Nano-units: the price is 1 for 1,000 tokens."""
_ONE_IN: Final = 100
_MINUTES: Final = (LimitKind.REQUESTS_PER_MINUTE, LimitKind.TOKENS_PER_MINUTE)
_clock = SystemClock()


@dataclass(frozen=True)
class Asked:
    """One request as its client saw it, and then what the ledger says it used."""

    sent: float
    """Seconds since the Unix epoch, as the next two."""
    answered: float
    """When the head of the reply had arrived."""
    done: float
    status: int
    id: str
    weight: int = 0
    """In the limit's unit; of a refused one what it would have reserved."""
    ended: float = 0.0
    """No later than the end that the ledger knows."""

    @property
    def admitted(self) -> bool:
        return self.status == 200


@dataclass(frozen=True)
class Case:
    """One limit of one scope, with an endpoint and a key of its own."""

    kind: LimitKind
    scope: str
    allowed: int
    reserved: int
    """What one request reserves, in the limit's unit."""
    name: str = ""
    key: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a crowd got."""

    case: Case
    gateways: int
    admitted: int
    """In the limit's unit: in the fullest minute, at the fullest moment, or in all."""
    passed: int
    """Requests that were admitted."""
    refused: int
    wrongly: int
    """Of the refused ones, those that certainly fitted."""
    heaviest: int

    @property
    def excess(self) -> int:
        return max(0, self.admitted - self.case.allowed)

    @property
    def holds(self) -> bool:
        most = (self.passed + self.wrongly) // _ONE_IN
        # A crowd of which nobody was refused has not reached the limit, and shows nothing.
        return self.refused > 0 and self.excess <= self.heaviest and self.wrongly <= most


class Platform:
    """Running gateways, and what is made in them for each case."""

    def __init__(self, gateways: Sequence[Running]) -> None:
        self.gateways = gateways
        self._numbers = count(1)
        console = Api(gateways[0].url, gateways[0].home)
        somebody = {"name": "crowd", "password": "more than a few letters"}
        console.ask("POST", "/users", {**somebody, "administrator": True})
        self._token = console.ask("POST", "/sign-in", somebody)["token"]
        self._api = Api(gateways[0].url, gateways[0].home, self._token)
        price = {"input": "1", "output": "1", "currency": "EUR"}
        self._api.ask("PUT", f"/prices/models/{_MODEL}", price)

    def prepare(self, case: Case) -> Case:
        """The case with an endpoint and a key that all gateways know, and know the limit of."""
        name = f"crowd-{next(self._numbers)}"
        self._api.ask("POST", "/projects", {"name": name})
        body = {"name": name, "kind": "serverless", "model": _MODEL, "accept_terms": True}
        self._api.ask("POST", f"/projects/{name}/endpoints", body)
        key = self._api.ask("POST", f"/projects/{name}/keys", {"name": "crowd"})
        place = {"endpoint": f"/endpoints/{name}", "project": "", "key": f"/keys/{key['id']}"}
        self._api.ask("PUT", f"/projects/{name}{place[case.scope]}/limits", _write_limit(case))
        # What a gateway knows of limits may be a moment older than what it knows of keys; so it
        # has the limit for certain once it has seen a key that was made after one it had seen.
        for _ in range(2):
            self._await_key(name)
        return replace(case, name=name, key=key["key"])

    def measure_reserve(self) -> int:
        """The tokens that one request of a crowd reserves, as an untouched endpoint tells."""
        case = self.prepare(Case(LimitKind.TOKENS_PER_MINUTE, "key", 10**9, 0))
        client = Client(self.gateways[:1], case, threading.Barrier(1))
        client.ask()
        client.close()
        return int(client.headers["x-ratelimit-limit-tokens"]) - int(
            client.headers["x-ratelimit-remaining-tokens"]
        )

    def read_records(self, case: Case) -> dict[str, dict[str, Any]]:
        """The ledger's, by request."""
        gateway = self.gateways[0]
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=_PATIENCE)
        path = f"/management/v1/projects/{case.name}/records?since=2d"
        connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
        lines = connection.getresponse().read().splitlines()
        connection.close()
        return {record["request"]: record for record in map(json.loads, lines)}

    def _await_key(self, name: str) -> None:
        made = self._api.ask("POST", f"/projects/{name}/keys", {"name": f"m{next(self._numbers)}"})
        deadline = time.monotonic() + _PATIENCE
        for gateway in self.gateways:
            while _find_info(gateway, name, made["key"]) != 200:
                assert time.monotonic() < deadline, f"{gateway.url} does not learn of keys"
                time.sleep(_PAUSE)


def _find_info(gateway: Running, endpoint: str, key: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=_PATIENCE)
    headers = {"Authorization": f"Bearer {key}"}
    connection.request("GET", f"/endpoints/{endpoint}/info", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def _write_limit(case: Case) -> dict[str, Any]:
    if case.kind is LimitKind.MONEY_PER_MONTH:
        return {case.kind.value: f"{case.allowed / 10**9:.9f}"}
    return {case.kind.value: case.allowed}


class Client:
    """One of the crowd; it turns to the gateways in turn, over connections that stay."""

    def __init__(self, gateways: Sequence[Running], case: Case, start: threading.Barrier) -> None:
        self._connections = [
            http.client.HTTPConnection("127.0.0.1", each.port, timeout=_PATIENCE)
            for each in gateways
        ]
        self._turns = cycle(self._connections)
        self._path = f"/endpoints/{case.name}/chat/completions"
        self._key = case.key
        self._start = start
        # Where what runs is counted it runs for a while; else it is over as soon as can be.
        runs = case.kind is LimitKind.CONCURRENT_REQUESTS
        message = {"role": "user", "content": "Tell me of the sea." if runs else "Hello"}
        fields = {"messages": [message], "max_tokens": 24 if runs else 1, "stream": runs}
        self._body = json.dumps(fields)
        self.headers: http.client.HTTPMessage

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def ask(self) -> Asked:
        """One request; again where nobody could count it, because the machine was too busy."""
        deadline = time.monotonic() + _PATIENCE
        while (asked := self._ask()).status == _AWAY:
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(_PAUSE)
        return asked

    def _ask(self) -> Asked:
        connection = next(self._turns)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        sent = _clock.now()
        connection.request("POST", self._path, self._body, headers)
        reply = connection.getresponse()
        answered = _clock.now()
        text = reply.read()
        if reply.status not in (200, 429, _AWAY):
            raise AssertionError(f"{reply.status}: {text.decode()}")
        self.headers = reply.headers
        return Asked(sent, answered, _clock.now(), reply.status, reply.headers["x-request-id"])

    def ask_until_refused(self, until: float) -> list[Asked]:
        """Until `until` at least, and then until there is no room."""
        self._start.wait(_PATIENCE)
        found: list[Asked] = []
        row = 0
        while row < _REFUSALS or _clock.now() < until:
            found.append(self.ask())
            row = 0 if found[-1].admitted else row + 1
            time.sleep(_PAUSE if row else 0)
        return found

    def ask_often(self, times: int) -> list[Asked]:
        """So often, without a pause after what was admitted."""
        self._start.wait(_PATIENCE)
        found: list[Asked] = []
        for _ in range(times):
            found.append(self.ask())
            time.sleep(0 if found[-1].admitted else _PAUSE)
        return found


def run_case(platform: Platform, case: Case, clients: int, seconds: float) -> Outcome:
    """The crowd at one limit. A day that ends meanwhile makes room, so then it is done again."""
    while True:
        day = _clock.now() // DAY
        ready = platform.prepare(case)
        asked, handed_over = _let_loose(platform, ready, clients, seconds)
        if _clock.now() // DAY == day:
            return _judge(platform, ready, asked, handed_over)


def _let_loose(
    platform: Platform, case: Case, clients: int, seconds: float
) -> tuple[list[Asked], list[Asked]]:
    """All that was asked; and, where ends make room, what as many as may run asked in turn."""
    if case.kind is LimitKind.CONCURRENT_REQUESTS:
        crowd = _ask_at_once(platform, case, clients, lambda one: one.ask_often(_ROUNDS))
        few = _ask_at_once(platform, case, case.allowed, lambda one: one.ask_often(_ROUNDS))
        return crowd, few
    until = _clock.now() + seconds
    asked = _ask_at_once(platform, case, clients, lambda one: one.ask_until_refused(until))
    # Now that nothing runs, what was reserved and not used is free again: to the last of it.
    return asked + _ask_at_once(platform, case, 1, lambda one: one.ask_until_refused(0)), []


def _ask_at_once(
    platform: Platform, case: Case, clients: int, ask: Callable[[Client], list[Asked]]
) -> list[Asked]:
    start = threading.Barrier(clients)
    ways = [platform.gateways, platform.gateways[::-1]]
    with ExitStack() as stack, ThreadPoolExecutor(clients) as pool:
        crowd = [Client(ways[number % 2], case, start) for number in range(clients)]
        for client in crowd:
            stack.callback(client.close)
        return [asked for found in pool.map(ask, crowd) for asked in found]


def _judge(
    platform: Platform, case: Case, asked: Sequence[Asked], handed_over: Sequence[Asked]
) -> Outcome:
    records = platform.read_records(case)
    seen = {one.id for one in (*asked, *handed_over) if one.admitted}
    assert seen == records.keys(), "the ledger has others than those that were admitted"
    weighed = [_weigh(case, one, records) for one in asked]
    admitted = [one for one in weighed if one.admitted]
    refused = [one for one in weighed if not one.admitted]
    if case.kind is LimitKind.CONCURRENT_REQUESTS:
        most = find_most_running([*admitted, *(_weigh(case, o, records) for o in handed_over)])
        wrongly = sum(not one.admitted for one in handed_over)
    else:
        span = _MINUTE if case.kind in _MINUTES else None
        most = find_most_within(admitted, span)
        wrongly = sum(fitted(case, one, admitted, span) for one in refused)
    passed = len(admitted) + sum(one.admitted for one in handed_over)
    heaviest = max((one.weight for one in admitted), default=1)
    gateways = len(platform.gateways)
    return Outcome(case, gateways, most, passed, len(refused), wrongly, heaviest)


def _weigh(case: Case, asked: Asked, records: dict[str, dict[str, Any]]) -> Asked:
    record = records.get(asked.id)
    if record is None:
        return replace(asked, weight=case.reserved)
    tokens = record["prompt"] + record["completion"]
    weights = {
        LimitKind.REQUESTS_PER_MINUTE: 1,
        LimitKind.CONCURRENT_REQUESTS: 1,
        LimitKind.MONEY_PER_MONTH: tokens * _MONEY_A_TOKEN,
    }
    # It began after it was sent, so it ended no earlier than this.
    ended = asked.sent + record["total"]
    return replace(asked, weight=weights.get(case.kind, tokens), ended=ended)


def find_most_within(admitted: Sequence[Asked], span: float | None) -> int:
    """The most that was certainly admitted within so many seconds; None: in all."""
    if span is None:
        return sum(one.weight for one in admitted)
    return max(
        (
            sum(
                each.weight
                for each in admitted
                if one.sent <= each.sent and each.answered < one.sent + span
            )
            for one in admitted
        ),
        default=0,
    )


def find_most_running(admitted: Sequence[Asked]) -> int:
    """The most that certainly ran at the same moment."""
    return max(
        (
            sum(each.answered <= one.answered < each.ended for each in admitted)
            for one in admitted
            if one.answered < one.ended
        ),
        default=0,
    )


def fitted(case: Case, refused: Asked, admitted: Sequence[Asked], span: float | None) -> bool:
    """Whether there was certainly room, counting for each other request the most it can have used:
    what it reserved, until its reply had ended before this one was sent."""
    oldest = 0.0 if span is None else refused.sent - span - 1 / SLOTS_PER_SECOND
    used = sum(
        one.weight if one.done <= refused.sent else max(one.weight, case.reserved)
        for one in admitted
        if one.sent <= refused.answered and one.answered >= oldest
    )
    return used + case.reserved <= case.allowed


def list_cases(requests: int, reserved: int) -> list[Case]:
    """Every limit of every scope, so that about so many requests pass."""
    tokens = (requests * reserved, reserved)
    money = (requests * reserved * _MONEY_A_TOKEN, reserved * _MONEY_A_TOKEN)
    sizes = {
        LimitKind.REQUESTS_PER_MINUTE: (requests, 1),
        LimitKind.CONCURRENT_REQUESTS: (_AT_ONCE, 1),
        LimitKind.MONEY_PER_MONTH: money,
    }
    return [Case(kind, scope, *sizes.get(kind, tokens)) for kind in LimitKind for scope in SCOPES]


@contextmanager
def platform_of(gateways: int, folder: Path) -> Iterator[Platform]:
    """So many gateways at work; several share a database, a Redis and a secret."""
    with ExitStack() as stack:
        settings = dict(_SETTINGS)
        if gateways > 1:
            settings["CUPOLA_DATABASE_URL"] = stack.enter_context(cluster()).create()
            settings["CUPOLA_REDIS_URL"] = stack.enter_context(redis_server()).url
            settings["CUPOLA_LIMITS_WITHOUT_REDIS"] = "closed"
        running: list[Running] = []
        for number in range(gateways):
            home = folder / f"{gateways}-{number}" / "home"
            home.parent.mkdir()
            supply_model(home)
            if running:
                home.mkdir(exist_ok=True)
                shutil.copy(running[0].home / "secret.key", home / "secret.key")
            running.append(stack.enter_context(cupola(home, settings=settings)).wait_ready())
        yield Platform(running)


_TABLE: Final = "{:20} {:9} {:>8} {:>14} {:>14} {:>8} {:>8} {:>9} {:>8}  {}"


def show(outcome: Outcome) -> None:
    """One line of the table."""
    case = outcome.case
    per = 10**9 if case.kind is LimitKind.MONEY_PER_MONTH else 1
    amounts = (case.allowed / per, outcome.admitted / per)
    print(
        _TABLE.format(
            *(case.kind.value, case.scope, outcome.gateways),
            *(f"{each:,.3f}" if per > 1 else f"{each:,.0f}" for each in amounts),
            *(outcome.passed, outcome.refused, outcome.wrongly),
            f"{outcome.excess / outcome.heaviest:.1f}",
            "holds" if outcome.holds else "BROKEN",
        ),
        flush=True,
    )


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if the law is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=100, help="that a limit has room for")
    parser.add_argument("--seconds", type=float, default=0, help="to go on for, with a minute's")
    parser.add_argument("--kind", choices=[*LimitKind], action="append")
    parser.add_argument("--scope", choices=SCOPES, action="append")
    parser.add_argument("--gateways", type=int, action="append")
    options = parser.parse_args(arguments)
    kinds, scopes = options.kind or [*LimitKind], options.scope or SCOPES
    heads = ("LIMIT", "SCOPE", "GATEWAYS", "ALLOWED", "ADMITTED", "PASSED", "REFUSED")
    print(_TABLE.format(*heads, "WRONGLY", "EXCESS", "LAW"))
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for gateways in options.gateways or (1, 2):
            with platform_of(gateways, Path(folder)) as platform:
                for case in list_cases(options.requests, platform.measure_reserve()):
                    if case.kind not in kinds or case.scope not in scopes:
                        continue
                    seconds = options.seconds if case.kind in _MINUTES else 0
                    outcome = run_case(platform, case, options.clients, seconds)
                    show(outcome)
                    broken += not outcome.holds
    print(f"{broken} broken." if broken else "All hold.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
