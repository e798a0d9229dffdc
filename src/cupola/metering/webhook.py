"""Webhooks: signed, and tried again until they are taken or a day and a half has passed.

    X-Cupola-Notice: ntc_...                  the same at each attempt
    X-Cupola-Time: 1790000000                 seconds since the Unix epoch
    X-Cupola-Signature: v1=HEX                HMAC-SHA256(key, "TIME.BODY")

A receiver reckons the signature anew over the bytes it got, compares in constant time, and refuses
times that are minutes away from its own. What it answers with 200 to 299 it has taken; it may get a
notice twice, and knows it by its id.
"""

import asyncio
import hmac
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cupola.http.client import Client, Tcp, Tls
from cupola.http.connection import Broken
from cupola.kit.errors import Unavailable
from cupola.metering.budget import Notice
from cupola.metering.rules import WebhookRule, refusal

MOST_ATTEMPTS: Final = 12
_FIRST_PAUSE: Final = 30
_LONGEST_PAUSE: Final = 6 * 3600
_WITHIN: Final = 10.0
"""Seconds that a receiver may take."""


def sign(key: bytes, time: int, body: bytes) -> str:
    """The signature of a webhook, as its header has it."""
    return "v1=" + hmac.digest(key, f"{time}.".encode() + body, "sha256").hex()


def headers_of(notice: Notice, key: bytes, time: int) -> Mapping[str, str]:
    """The headers of an attempt at `time`."""
    return {
        "X-Cupola-Notice": notice.id,
        "X-Cupola-Time": str(time),
        "X-Cupola-Signature": sign(key, time, notice.body.encode()),
    }


def note_attempt(notice: Notice, now: int, failure: str) -> Notice:
    """A notice after an attempt; `failure` empty: it was taken. Pauses double."""
    attempts = notice.attempts + 1
    if not failure:
        return replace(notice, attempts=attempts, due=None, delivered=now, failure="")
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempts - 1))
    due = now + pause if attempts < MOST_ATTEMPTS else None
    return replace(notice, attempts=attempts, due=due, failure=failure)


class HttpSender:
    """A `Sender` over the network.

    A name is looked up once, and what it resolves to is what is connected to: nobody who answers
    for the name can first name a public address, to be judged, and then another.
    """

    def __init__(self, rule: WebhookRule) -> None:
        self._rule = rule

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        host = parts.hostname or ""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            async with asyncio.timeout(_WITHIN):
                client = await self._connect(parts, host)
                try:
                    status, _ = await client.request("POST", path, body, headers, within=_WITHIN)
                finally:
                    client.close()
        except TimeoutError as error:
            raise Unavailable(f"{host} did not answer in time.") from error
        except (Broken, OSError, ValueError) as error:
            raise Unavailable(f"{host} did not answer: {error}") from error
        return status

    async def _connect(self, parts: SplitResult, host: str) -> Client:
        """To the first of the host's addresses that takes connections.

        Raises: Unavailable, OSError.
        """
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failed = Unavailable(refusal(host))
        for ip in self._rule.choose(host, [str(address[0]) for *_, address in found]):
            client = Client(Tls(host, port, ip=ip) if secure else Tcp(host, port, ip=ip))
            try:
                await client.probe()
            except Broken as error:
                failed = error
            else:
                return client
        raise failed
