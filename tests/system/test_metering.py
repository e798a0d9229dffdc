"""Limits and the ledger of a real server: nothing lost, nothing twice, whatever ends when."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cupola.db.database import Database
from cupola.kit.clock import SystemClock
from cupola.quotas.model import Bound, Limits, Scope
from cupola.quotas.store import SqlLimits
from tests.conftest import supply_model
from tests.patience import PATIENCE, wait_until
from tests.robustness.long_replies import long_reply, read_stream
from tests.running import Cupola, Running, cupola, run_json

CLIENTS = 64
PILOT = Scope("endpoint", "pilot")


@dataclass(frozen=True)
class Said:
    """A reply, as far as accounts go."""

    status: int
    id: str
    prompt: int
    completion: int
    body: dict[str, Any]
    headers: httpx.Headers


def ask(server: Running, key: str = "", **fields: Any) -> Said:
    """One whole reply of a token or so."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, **fields}
    response = httpx.post(
        f"{server.target_uri}/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {key or server.key}", "x-cupola-report": "1"},
        timeout=PATIENCE,
    )
    said = response.json()
    usage = said.get("usage", {})
    return Said(
        response.status_code,
        response.headers["x-request-id"],
        usage.get("prompt_tokens", 0),
        usage.get("completion_tokens", 0),
        said,
        response.headers,
    )


def ask_at_once(server: Running, count: int) -> Sequence[Said]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(server), range(count)))


def read_records(home: Path) -> dict[str, dict[str, Any]]:
    """By request; the ledger's own key makes it certain that each is there once."""
    with sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM usage_records")]
    found = {row["request"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def wait_for_record(home: Path, request: str) -> dict[str, Any]:
    assert wait_until(lambda: request in read_records(home)), f"{request} is not in the ledger"
    return read_records(home)[request]


def find_most_at_once(home: Path, since: float) -> int:
    """Of the requests on record that began after `since`."""
    records = [one for one in read_records(home).values() if one["time"] >= since]
    spans = [(one["time"], one["time"] + one["total"]) for one in records]
    return max(sum(1 for a, b in spans if a <= start < b) for start, _ in spans)


@contextmanager
def limited(server: Running, scope: Scope, limits: Limits) -> Iterator[None]:
    """As another process does it: straight into the database. Within, the server knows of it."""
    _change(server, lambda stored: stored.put(Bound(scope, limits)))
    try:
        yield
    finally:
        _change(server, lambda stored: stored.delete(scope))


def _change(server: Running, change: Callable[[SqlLimits], Awaitable[object]]) -> None:
    async def make() -> None:
        database = Database(server.home / "cupola.db")
        await change(SqlLimits(database))
        await database.close()

    asyncio.run(make())
    for _ in range(2):  # the look that was under way may have come too early
        wait_for_look(server)


def wait_for_look(server: Running) -> None:
    """Until the server has looked at its database."""
    token = (server.home / "run" / "console.token").read_text().strip()
    since = time.monotonic()

    def has_looked() -> bool:
        asked = time.monotonic()
        page = httpx.get(
            f"{server.url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE
        ).text
        age = float(page.partition("\ncupola_snapshot_age_seconds ")[2].partition("\n")[0])
        return age < asked - since

    assert wait_until(has_looked)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cupola]:
    home = tmp_path_factory.mktemp("metering") / "home"
    supply_model(home)
    with cupola(home) as started:
        yield started


@pytest.fixture(scope="module")
def server(started: Cupola) -> Running:
    return started.wait_ready()


def test_every_reply_is_on_record_before_it_has_arrived(server: Running):
    """Read at once, without waiting: the commit came before the last byte."""
    said = ask(server)
    record = read_records(server.home)[said.id]
    assert (said.status, record["status"], record["finish"]) == (
        200,
        200,
        said.body["choices"][0]["finish_reason"],
    )
    assert (record["prompt"], record["completion"]) == (said.prompt, said.completion)
    assert said.headers["x-cupola-prompt-tokens"] == str(said.prompt)
    assert (record["key"], record["project"], record["endpoint"], record["kind"]) == (
        "primary",
        "default",
        "pilot",
        "serverless",
    )
    assert int(said.headers["x-ratelimit-remaining-requests"]) < 1000


def test_a_stream_is_on_record_before_its_end(server: Running):
    body = long_reply(characters=40, stream=True)
    lines = read_stream(server, body)
    assert next(lines) == "200"
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    record = read_records(server.home)[chunks[0]["id"]]
    assert record["completion"] == chunks[-1]["usage"]["completion_tokens"]
    assert record["counted"] == 1
    assert 0 < record["first_token"] <= record["total"]


def test_who_hangs_up_is_billed_for_what_was_generated(server: Running):
    lines = read_stream(server, long_reply(characters=1500, stream=True))
    assert next(lines) == "200"
    first = json.loads(next(lines))
    seen = 1 + sum(1 for _, line in zip(range(20), lines, strict=False) if line != "[DONE]")
    assert isinstance(lines, Generator)
    lines.close()  # and with it its connection
    record = wait_for_record(server.home, first["id"])
    assert (record["finish"], record["status"], record["counted"]) == ("client_gone", 200, 0)
    assert seen - 2 <= record["completion"] < 1500


def test_no_more_than_the_limit_of_requests_gets_through(server: Running):
    """Of a key that has used none yet, as far as this limit goes."""
    with (
        limited(server, Scope("key", "pilot/primary"), Limits(requests_per_minute=20)),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        said = list(pool.map(lambda _: ask(server), range(CLIENTS)))
    admitted = [one for one in said if one.status == 200]
    refused = [one for one in said if one.status == 429]
    assert len(admitted) + len(refused) == CLIENTS
    assert 20 <= len(admitted) <= 21
    one = refused[0]
    assert one.body["error"]["code"] == "429"
    assert "This key is limited to 20 requests per minute" in one.body["error"]["message"]
    assert 1 <= int(one.headers["retry-after"]) <= 61
    assert int(one.headers["retry-after-ms"]) <= 61_000
    assert one.headers["x-ratelimit-remaining-requests"] == "0"
    assert one.headers.get_list("retry-after") == [one.headers["retry-after"]]
    assert not {one.id for one in refused} & read_records(server.home).keys()


def test_no_more_tokens_than_the_limit_get_through(server: Running):
    """Of a key that has used none yet: what is reserved never exceeds the limit."""
    most = 300
    endpoint = run_json("endpoints", "show", "pilot", home=server.home)
    key = endpoint["secondary_key"]
    with (
        limited(server, Scope("key", "pilot/secondary"), Limits(tokens_per_minute=most)),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        said = list(pool.map(lambda _: ask(server, key), range(CLIENTS)))
    used = sum(one.prompt + one.completion for one in said)
    refused = [one for one in said if one.status == 429]
    assert refused
    assert most / 2 < used <= most
    assert "This key is limited to 300 tokens per minute" in refused[0].body["error"]["message"]
    left = [int(one.headers["x-ratelimit-remaining-tokens"]) for one in said]
    assert min(left) >= 0
    records = read_records(server.home)
    assert {"secondary"} == {records[one.id]["key"] for one in said if one.status == 200}


def test_no_more_run_at_once_than_may(server: Running):
    since = SystemClock().now()
    body = long_reply(characters=400, stream=True)

    def read_status(_: int) -> str:
        lines = read_stream(server, body)
        status = next(lines)
        for _line in lines:
            pass
        return status

    with (
        limited(server, PILOT, Limits(concurrent_requests=4)),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        statuses = list(pool.map(read_status, range(CLIENTS)))
    assert statuses.count("200") + statuses.count("429") == CLIENTS
    assert statuses.count("429") >= 1
    assert find_most_at_once(server.home, since) == 4


def test_sums_are_what_the_callers_saw(server: Running):
    said = ask_at_once(server, CLIENTS)
    records = read_records(server.home)
    fine = [one for one in said if one.status == 200]
    assert fine
    for one in fine:
        record = records[one.id]
        assert (record["prompt"], record["completion"]) == (one.prompt, one.completion)


def test_a_limit_of_another_process_holds(server: Running):
    assert ask(server).status == 200
    with limited(server, PILOT, Limits(requests_per_minute=0)):
        said = ask(server)
        assert (said.status, "retry-after" in said.headers) == (429, False)
    assert ask(server).status == 200


def test_a_limit_of_a_day_knows_what_was_used_before(server: Running):
    """From the ledger: the counters have counted no day until now."""
    assert ask(server).status == 200
    used = sum(one["prompt"] + one["completion"] for one in read_records(server.home).values())
    with limited(server, PILOT, Limits(tokens_per_day=used)):
        said = ask(server)
    assert said.status == 429
    assert f"limited to {used:,} tokens per day (UTC)" in said.body["error"]["message"]
    assert 0 < int(said.headers["retry-after"]) <= 86_400


def test_a_server_that_is_killed_mid_stream_bills_no_more_than_it_made(tmp_path: Path):
    home = tmp_path / "home"
    supply_model(home)
    with cupola(home) as started:
        server = started.wait_ready()
        whole = ask(server)
        lines = read_stream(server, long_reply(characters=1500, stream=True))
        assert next(lines) == "200"
        first = json.loads(next(lines))
        pieces = 1 + sum(1 for _ in zip(range(20), lines, strict=False))
        os.kill(server.pid, signal.SIGKILL)
        started.process.wait(PATIENCE)
        pieces += sum(1 for _ in lines)
    with cupola(home) as again:
        again.wait_ready()
        records = read_records(home)
    record = records[first["id"]]
    assert (record["finish"], record["status"]) == ("interrupted", 0)
    assert 0 < record["completion"] <= 1500
    assert record["completion"] >= pieces - 2
    assert record["prompt"] == whole.prompt
    assert (records[whole.id]["prompt"], records[whole.id]["completion"]) == (
        whole.prompt,
        whole.completion,
    )


def test_a_server_that_is_stopped_mid_stream_leaves_nothing_open(tmp_path: Path):
    """All is in the ledger when the process has ended, and no journal waits for a next start."""
    home = tmp_path / "home"
    supply_model(home)
    with cupola(home) as started:
        server = started.wait_ready()
        lines = read_stream(server, long_reply(characters=1500, stream=True))
        assert next(lines) == "200"
        first = json.loads(next(lines))
        started.stop()
    record = read_records(home)[first["id"]]
    assert record["finish"] in {"error", "interrupted", "client_gone"}
    assert (record["status"], record["counted"]) == (200, 0)
    assert record["completion"] > 0
    assert not list((home / "ledger").iterdir())
