import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from cupola.kit.clock import FakeClock
from cupola.kit.errors import Unavailable
from cupola.metering.budget import Notice
from cupola.metering.loop import deliver_due
from cupola.metering.memory import MemoryNotices
from cupola.metering.rules import WebhookRule
from cupola.metering.webhook import MOST_ATTEMPTS, HttpSender, note_attempt

_HERE = WebhookRule.read("127.0.0.0/8")
_KEY = b"k" * 32
_NOTICE = Notice("ntc_1", "bud_1", "default", 0, 80, 5, 1000, None, '{"share":80}', due=1000)


@dataclass
class Receiver:
    """A real server that answers each request with the next of its statuses."""

    statuses: list[int]
    url: str = ""
    seen: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        self.seen.append((first, headers, body))
        status = self.statuses.pop(0)
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()


@asynccontextmanager
async def _receiver(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver([*statuses])
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?to=me"
    async with server:
        yield receiver


async def _deliver(notices: MemoryNotices, clock: FakeClock) -> Notice:
    await deliver_due(notices, HttpSender(_HERE), clock, lambda budget: _KEY)
    [notice] = await notices.list("default")
    return notice


async def test_signed_and_delivered_once():
    """A receiver can tell that a notice is ours; taken, it is not sent again."""
    clock, notices = FakeClock(2000.0), MemoryNotices()
    async with _receiver(204) as receiver:
        await notices.add(replace(_NOTICE, url=receiver.url))
        delivered = await _deliver(notices, clock)
        clock.advance(10**6)
        await _deliver(notices, clock)
    [(first, headers, body)] = receiver.seen
    expected = hmac.new(_KEY, headers["x-cupola-time"].encode() + b"." + body, hashlib.sha256)

    assert "POST /hook?to=me HTTP/1.1" == first
    assert f"v1={expected.hexdigest()}" == headers["x-cupola-signature"]
    assert ("ntc_1", "2000", "application/json") == (
        headers["x-cupola-notice"],
        headers["x-cupola-time"],
        headers["content-type"],
    )
    assert (_NOTICE.body.encode(), 2000, None, 1) == (
        body,
        delivered.delivered,
        delivered.due,
        delivered.attempts,
    )


async def test_tried_again_until_taken():
    """A receiver that fails, or redirects, gets it again after a pause, with the same id."""
    clock, notices = FakeClock(2000.0), MemoryNotices()
    async with _receiver(500, 302, 200) as receiver:
        await notices.add(replace(_NOTICE, url=receiver.url))
        failed = await _deliver(notices, clock)
        await _deliver(notices, clock)
        assert 1 == len(receiver.seen)  # not before its time
        clock.advance(30)
        await _deliver(notices, clock)
        clock.advance(60)
        delivered = await _deliver(notices, clock)

    assert ("The receiver answered with status 500.", 2030) == (failed.failure, failed.due)
    assert (3, 2090, "") == (delivered.attempts, delivered.delivered, delivered.failure)
    assert {"ntc_1"} == {headers["x-cupola-notice"] for _, headers, _ in receiver.seen}


async def test_nobody_there():
    """A receiver that does not exist is a failure like others, said in a sentence."""
    clock, notices = FakeClock(2000.0), MemoryNotices()
    await notices.add(replace(_NOTICE, url="http://127.0.0.1:1/"))
    failed = await _deliver(notices, clock)

    assert "127.0.0.1 did not answer" in failed.failure
    assert 2030 == failed.due


def test_given_up_in_the_end():
    """Pauses double up to six hours; after a day and a half it is given up, and that is kept."""
    notice, times = _NOTICE, []
    while notice.due is not None:
        times.append(notice.due)
        notice = note_attempt(notice, notice.due, "No.")
    pauses = [later - earlier for earlier, later in pairwise(times)]

    assert (MOST_ATTEMPTS, "No.", None) == (notice.attempts, notice.failure, notice.delivered)
    assert [30, 60, 120] == pauses[:3]
    assert 6 * 3600 == max(pauses)
    assert 10 * 3600 < sum(pauses) < 48 * 3600


async def _post(url: str, listed: str, *statuses: int) -> tuple[int | str, int]:
    """What came of a POST to `url`, where PORT is that of a real server; and how often that was
    asked."""
    async with _receiver(*statuses) as receiver:
        port = str(urlsplit(receiver.url).port)
        try:
            sender = HttpSender(WebhookRule.read(listed))
            return await sender.post(url.replace("PORT", port), b"{}", {}), len(receiver.seen)
        except Unavailable as error:
            return error.public, len(receiver.seen)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LocalHost.", "2130706433", "0x7f.1", "127.1", "[::1]",
     "[::ffff:127.0.0.1]", "0.0.0.0"],
)  # fmt: skip
async def test_this_machine_is_asked_by_no_name(host: str):
    """However it is spelt, unless an administrator allows it, no connection is made."""
    answer, asked = await _post(f"http://{host}:PORT/", "", 200)

    assert 0 == asked
    assert "CUPOLA_WEBHOOK_HOSTS" in str(answer) or "did not answer" in str(answer)


@pytest.mark.parametrize("listed", ["localhost", "127.0.0.1", "10.0.0.0/8, 127.0.0.0/8"])
async def test_what_is_listed_is_asked(listed: str):
    """By the host's name, by its address, and by a network that has it."""
    assert (200, 1) == await _post("http://localhost:PORT/", listed + ", ::1", 200)


async def test_redirects_lead_nowhere():
    """The place that a redirect names is not asked: it was not judged."""
    assert (302, 1) == await _post("http://localhost:PORT/", "localhost", 302, 200)


async def test_what_was_judged_is_connected_to(monkeypatch: pytest.MonkeyPatch):
    """A name that resolves to something else the second time is not asked a second time."""
    loop = asyncio.get_running_loop()
    asked: list[str] = []
    look_up = loop.getaddrinfo

    async def rebind(host: str, port: int, **more: Any) -> Any:
        asked.append(host)
        return await look_up("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", rebind)
    async with _receiver(200) as receiver:
        url = receiver.url.replace("127.0.0.1", "rebind.example")
        assert 200 == await HttpSender(WebhookRule.read("127.0.0.1")).post(url, b"{}", {})
        [(_, headers, _)] = receiver.seen

    assert ["rebind.example"] == [host for host in asked if not host.startswith("127.")]
    assert headers["host"].startswith("rebind.example:")
