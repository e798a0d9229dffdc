"""An engine process is killed with -9, then the server itself: what callers see, and who is left.

These tests have a server of their own.
"""

import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.patience import PATIENCE, wait_until
from tests.robustness.bad_requests import chat
from tests.robustness.long_replies import Streamed, long_reply, read_stream
from tests.robustness.processes import (
    children_of,
    command_of,
    engine_of,
    is_running,
)
from tests.robustness.raw_http import Answer, exchange, request
from tests.running import Running

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="finds processes in /proc")

STREAMS, WHOLES = 25, 25


@dataclass
class Crowd:
    """Callers at work, half of them streaming."""

    running: Running
    first_words: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released by each stream that has begun."""

    def send(self, pool: ThreadPoolExecutor) -> tuple[list[Future[Streamed]], list[Future[Answer]]]:
        """All requests at once, streams and whole replies in turn."""
        streams, wholes = [], []
        for _ in range(STREAMS):
            streams.append(pool.submit(self._stream))
            wholes.append(pool.submit(self._whole))
        return streams, wholes

    def _stream(self) -> Streamed:
        events = read_stream(self.running, long_reply(characters=200, stream=True))
        status, first = next(events), next(events, "")
        self.first_words.release()
        return Streamed(int(status), (first, *events))

    def _whole(self) -> Answer:
        body = long_reply(characters=200, stream=False)
        return exchange(self.running, [request(self.running, body)], patience=PATIENCE)


def test_nobody_who_had_heard_nothing_fails(own: Running) -> None:
    """Fifty callers, the engine dies: only streams that had begun are cut, and end properly."""
    crowd = Crowd(own)
    with ThreadPoolExecutor(STREAMS + WHOLES) as pool:
        streams, wholes = crowd.send(pool)
        assert crowd.first_words.acquire(timeout=PATIENCE)
        os.kill(engine_of(own.pid), signal.SIGKILL)

    replies = [future.result() for future in streams]
    cut = [reply for reply in replies if reply.finish_reason == "error"]
    assert {200} == {future.result().status for future in wholes}
    assert {200} == {reply.status for reply in replies}
    assert {"[DONE]"} == {reply.events[-1] for reply in replies}
    assert cut
    assert all(reply.text for reply in cut)


def test_the_engine_is_back(own: Running) -> None:
    """And the caller who asks meanwhile is answered, not turned away."""
    killed = engine_of(own.pid)

    os.kill(killed, signal.SIGKILL)

    answer = exchange(own, [request(own, chat())], patience=PATIENCE)
    assert 200 == answer.status
    assert killed != engine_of(own.pid)


def test_an_engine_that_dies_twice_comes_back_twice(own: Running) -> None:
    """Back-off must not make the second death of a day a long one."""
    for _ in range(2):
        os.kill(engine_of(own.pid), signal.SIGKILL)
        answer = exchange(own, [request(own, chat())], patience=PATIENCE)

    assert 200 == answer.status


def test_nothing_outlives_a_killed_server(own: Running) -> None:
    """kill -9 gives the server no time to tidy up; its processes end all the same."""
    family = children_of(own.pid) | {own.pid}

    os.kill(own.pid, signal.SIGKILL)

    assert len(family) > 1
    assert wait_until(lambda: not any(map(is_running, family))), [
        command_of(pid) for pid in family if is_running(pid)
    ]
