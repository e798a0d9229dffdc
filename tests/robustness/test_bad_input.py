"""No input gives a 500, and every refusal says what was wrong.

The tables are in `bad_requests.py` and `strange_requests.py`.
"""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.robustness.bad_requests import (
    BAD_BODIES,
    BAD_HEADS,
    NO_HTTP,
    BadBody,
    BadHead,
    chat,
)
from tests.robustness.raw_http import (
    CLOSED,
    Answer,
    connect,
    exchange,
    head,
    request,
)
from tests.robustness.strange_requests import STRANGE_BODIES
from tests.running import Running

AZURE, NATIVE = "/chat/completions", "/v1/chat/completions"
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("path", [AZURE, NATIVE], ids=["azure", "native"])
@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_a_bad_body_is_refused_with_reason(running: Running, bad: BadBody, path: str) -> None:
    """400 or 422, in the route's own shape, naming the field; and never an invitation to retry."""
    answer = exchange(running, [request(running, bad.body, path)])

    assert answer.status in (400, 422), answer
    assert _message(answer)
    assert (bad.word or "") in answer.body.decode()
    assert "retry-after" not in {name.lower() for name in answer.headers}


@pytest.mark.parametrize("bad", BAD_HEADS, ids=lambda bad: bad.name)
def test_a_bad_head_is_refused_with_reason(running: Running, bad: BadHead) -> None:
    """The status that says what is wrong, with a message where HTTP itself was sound."""
    body = b"" if bad.method == "GET" else chat()
    raw = request(running, body, bad.path, method=bad.method, headers=bad.headers)

    answer = exchange(running, [raw])

    assert answer.status in bad.statuses, answer
    assert answer.body


@pytest.mark.parametrize("noise", NO_HTTP.values(), ids=NO_HTTP.keys())
def test_bytes_that_are_no_http_are_turned_away(running: Running, noise: bytes) -> None:
    """400, or the connection is closed; and the next caller notices nothing."""
    answer = exchange(running, [noise], end=True)

    assert answer == CLOSED or 400 <= answer.status < 500, answer
    _assert_well(running)


@pytest.mark.parametrize("body", STRANGE_BODIES.values(), ids=STRANGE_BODIES.keys())
def test_a_strange_body_is_served_or_refused(running: Running, body: bytes) -> None:
    """One of the two: never a 500, never a silence."""
    answer = exchange(running, [request(running, body)])

    assert answer.status == 200 or 400 <= answer.status < 500, answer
    assert answer.status == 200 or _message(answer)


@pytest.mark.parametrize("path", [AZURE, NATIVE], ids=["azure", "native"])
def test_validation_has_the_shape_of_the_route(running: Running, path: str) -> None:
    """Azure clients read `error`, Mistral's can read nothing but a list in `detail`."""
    answer = exchange(running, [request(running, chat(temperature="hot"), path)])

    assert 422 == answer.status
    if path == AZURE:
        error = answer.json()["error"]
        assert ("Invalid input", 422) == (error["code"], error["status"])
        assert ["body", "temperature"] == error["details"][0]["loc"]
    else:
        (fault,) = answer.json()["detail"]
        assert ["body", "temperature"] == fault["loc"]
        assert {"type", "msg", "input"} <= fault.keys()


def test_a_body_of_fifty_megabytes_is_refused_unread(running: Running) -> None:
    """413 as soon as the head says so; nobody waits for the rest."""
    sizes = {"Content-Length": str(50 * MEBIBYTE), "Content-Type": "application/json"}

    answer = exchange(running, [head(running, headers=sizes)])

    assert 413 == answer.status
    assert _message(answer)


def test_a_client_that_sends_fifty_megabytes_anyway_reads_the_refusal(running: Running) -> None:
    """Ordinary clients send first and read afterwards: the answer must survive that."""
    answer = exchange(running, [request(running, b" " * (50 * MEBIBYTE))])

    assert 413 == answer.status
    assert _message(answer)
    _assert_well(running)


def test_a_long_body_without_a_length_is_refused_on_the_way(running: Running) -> None:
    """In chunks nothing announces the size; it is counted."""
    start = head(running, headers={"Transfer-Encoding": "chunked"})
    chunk = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"

    answer = exchange(running, [start, *[chunk] * 50, b"0\r\n\r\n"])

    assert answer.status in (413, 0), answer
    _assert_well(running)


def test_a_good_body_in_chunks_is_served(running: Running) -> None:
    """No Content-Length is no fault."""
    start = head(running, headers={"Transfer-Encoding": "chunked"})
    body = chat()
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])]

    answer = exchange(running, [start, *chunks, b"0\r\n\r\n"])

    assert 200 == answer.status


def test_a_good_body_in_single_bytes_is_served(running: Running) -> None:
    """However the network cuts it."""
    raw = request(running, chat())

    answer = exchange(running, [raw[i : i + 1] for i in range(len(raw))])

    assert 200 == answer.status


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault(running: Running) -> None:
    """Half a body and then the end of the line."""
    raw = request(running, chat())

    answer = exchange(running, [raw[:-20]], end=True)

    assert answer == CLOSED or 400 <= answer.status < 500
    _assert_well(running)


def test_a_client_that_drops_a_stream_is_no_fault(running: Running) -> None:
    """The first chunk is read, then the line is cut without a goodbye."""
    with connect(running) as connection:
        connection.sendall(request(running, chat(stream=True, max_tokens=500)))
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
        reset = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)

    _assert_well(running)


def test_requests_sent_ahead_are_answered_in_order(running: Running) -> None:
    """HTTP pipelining: good, bad, good on one connection, each with its own answer."""
    bodies = [chat(), chat(messages=[]), chat()]
    with connect(running) as connection:
        connection.sendall(b"".join(request(running, body) for body in bodies))
        statuses = [_read_next(connection) for _ in bodies]

    assert [200, 422, 200] == statuses


def test_a_request_after_a_refusal_uses_the_same_connection(running: Running) -> None:
    """A refusal does not cost the client its connection."""
    with connect(running) as connection:
        for body, status in [(b"{", 400), (chat(), 200)]:
            connection.sendall(request(running, body))
            assert _read_next(connection) in (status, 422)


def test_a_slow_body_is_refused_at_the_deadline(hasty: Running) -> None:
    """One byte at a time, for ever: 408 once the time for bodies is over."""
    raw = request(hasty, chat() + b" " * 4096)

    answer = exchange(hasty, _dribble(raw, 4096))

    assert 408 == answer.status
    assert _message(answer)


def _message(answer: Answer) -> str:
    """What the refusal says to a person, in whichever of the shapes it came."""
    body: Any = answer.json()
    if isinstance(detail := body.get("detail"), str):
        return detail
    if isinstance(detail, list):
        return str(detail[0]["msg"])
    told: Any = body.get("error", body)
    return str(told["message"])


def _dribble(raw: bytes, count: int) -> Iterator[bytes]:
    """All of `raw` at once but for its last `count` bytes, which would take minutes."""
    yield raw[:-count]
    for i in range(len(raw) - count, len(raw)):
        time.sleep(0.1)
        yield raw[i : i + 1]


def _read_next(connection: socket.socket) -> int:
    """The status of the next answer on a connection that stays open."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(1)
    head, _, _ = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    left = int(fields["content-length"])
    while left:
        left -= len(connection.recv(left))
    return int(first.split()[1])


def _assert_well(running: Running) -> None:
    """The server answers as if nothing had been."""
    answer = exchange(running, [request(running, chat())])
    assert 200 == answer.status, json.dumps(answer.body.decode())
