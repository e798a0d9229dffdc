"""Webhooks: signed, and tried again until they are taken or a day and a half has passed.

    X-Cupola-Notice: ntc_...                  the same at each attempt
    X-Cupola-Time: 1790000000                 seconds since the Unix epoch
    X-Cupola-Signature: v1=HEX                HMAC-SHA256(key, "TIME.BODY")

A receiver reckons the signature anew over the bytes it got, compares in constant time, and refuses
times that are minutes away from its own. What it answers with 200 to 299 it has taken; it may get a
notice twice, and knows it by its id.
"""

import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from cupola.http.client import Client, Tcp, Tls
from cupola.http.connection import Broken
from cupola.kit.errors import Unavailable
from cupola.metering.budget import Notice

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
    """A `Sender` over the network."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = (
            Tls(host, parts.port or 443) if parts.scheme == "https" else Tcp(host, parts.port or 80)
        )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            client = Client(address)
            try:
                status, _ = await client.request("POST", path, body, headers, within=_WITHIN)
            finally:
                client.close()
        except (Broken, OSError, ValueError) as error:
            raise Unavailable(f"{host} did not answer: {error}") from error
        return status
