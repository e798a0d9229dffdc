"""Five hundred bad requests later the server holds what it held before: no more of anything."""

import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.patience import wait_until
from tests.robustness.bad_requests import BAD_BODIES, BAD_HEADS, NO_HTTP, chat
from tests.robustness.long_replies import long_reply
from tests.robustness.processes import holdings_of
from tests.robustness.raw_http import connect, exchange, request
from tests.running import Running

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="counts in /proc")

REQUESTS, AT_ONCE = 500, 16
SLACK = 8
"""Pooled connections that may be open now and were not before, or the other way round."""


def test_five_hundred_bad_requests_leave_nothing_behind(running: Running) -> None:
    """Descriptors, threads, processes: counted before and after. Slots: all free at once."""
    _fill_slots(running)
    before = holdings_of(running.pid)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda misdeed: misdeed(), _misdeeds(running)))

    _fill_slots(running)
    assert wait_until(lambda: not holdings_of(running.pid).exceeds(before, by=SLACK)), (
        before,
        holdings_of(running.pid),
    )


def _misdeeds(running: Running) -> list[Callable[[], object]]:
    """The tables of bad requests and three ways of leaving, again and again, in random order."""
    bodies = [request(running, bad.body) for bad in BAD_BODIES if len(bad.body) < 100_000]
    heads = [
        request(running, chat(), bad.path, method=bad.method, headers=bad.headers)
        for bad in BAD_HEADS
    ]
    kinds: list[Callable[[], object]] = [
        *[lambda raw=raw: exchange(running, [raw]) for raw in bodies + heads],
        *[lambda raw=raw: exchange(running, [raw], end=True) for raw in NO_HTTP.values()],
        *[lambda: _leave(running, after_answer=True)] * 20,
        *[lambda: _leave(running, after_answer=False)] * 20,
        *[lambda: _leave_in_the_middle(running)] * 10,
    ]
    chosen = (kinds * (REQUESTS // len(kinds) + 1))[:REQUESTS]
    random.Random(0).shuffle(chosen)
    return chosen


def _leave(running: Running, *, after_answer: bool) -> None:
    """Ask for a reply that would take minutes, and go: after its first bytes, or before them."""
    with connect(running) as connection:
        connection.sendall(request(running, long_reply(characters=5000, stream=after_answer)))
        if after_answer:
            assert connection.recv(512).startswith(b"HTTP/1.1 200")
        else:
            time.sleep(0.02)
        reset = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)


def _leave_in_the_middle(running: Running) -> None:
    with connect(running) as connection:
        connection.sendall(request(running, chat())[:-10])


def _fill_slots(running: Running) -> None:
    """A request for every slot, all sent at once, is answered: none is held by who has gone."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(
            pool.map(lambda _: exchange(running, [request(running, chat())]), range(AT_ONCE))
        )
    assert {200} == {answer.status for answer in answers}
