"""Every `KeySource` keeps these promises: the fake, and the one that asks over HTTP."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from cupola.testing import MemoryKeySource
from cupola.tokens.model import Issuer
from cupola.tokens.ports import KeySource, KeysUnreadable
from cupola.tokens.store import HttpKeySource
from tests.tokens.issuer import ec_key, local_issuer, publish, rsa_key


@dataclass
class Case:
    """A source, the issuer it is to ask, and how to change what that one says."""

    source: KeySource
    issuer: Issuer
    publish: Callable[[list[Mapping[str, Any]]], None]
    stop: Callable[[], None]


@asynccontextmanager
async def case_of(kind: str) -> AsyncIterator[Case]:
    if kind == "memory":
        memory = MemoryKeySource()
        yield Case(
            memory,
            Issuer("https://issuer.example"),
            lambda keys: setattr(memory, "keys", keys),
            lambda: setattr(memory, "down", True),
        )
        return
    async with local_issuer() as local:
        yield Case(
            HttpKeySource(),
            Issuer(local.url),
            lambda keys: setattr(local, "keys", keys),
            lambda: setattr(local, "down", True),
        )


@pytest.fixture(params=["memory", "http"])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    async with case_of(request.param) as case:
        yield case


async def test_all_published_keys_come(case: Case):
    """Whatever they are good for, and each time as they are then."""
    first, second = publish(rsa_key("a"), ec_key("b")), publish(rsa_key("c"))
    case.publish(first)
    assert first == await case.source.fetch(case.issuer)

    case.publish(second)
    assert second == await case.source.fetch(case.issuer)


async def test_no_keys_are_no_failure(case: Case):
    """An issuer may have none."""
    assert [] == await case.source.fetch(case.issuer)


async def test_an_issuer_that_is_down_is_named(case: Case):
    """For the log."""
    case.stop()

    with pytest.raises(KeysUnreadable, match=case.issuer.issuer):
        await case.source.fetch(case.issuer)


@pytest.mark.parametrize(
    "garbage", [b"", b"[]", b"{", b"{}", b'{"keys": 3}', b"[" * 100_000, b"x" * 2**21]
)
async def test_what_is_no_list_of_keys_is_refused(garbage: bytes):
    """And not read for ever."""
    async with local_issuer() as local:
        local.garbage = garbage or b"null"
        issuer = Issuer(local.url, jwks_uri=f"{local.url}/keys")
        with pytest.raises(KeysUnreadable):
            await HttpKeySource().fetch(issuer)


async def test_a_document_of_another_issuer_is_refused():
    """Else who controls one issuer's address could speak for another."""
    async with local_issuer() as local:
        local.names = "https://other.example"
        with pytest.raises(KeysUnreadable, match="of another issuer"):
            await HttpKeySource().fetch(Issuer(local.url))


@pytest.mark.parametrize("uri", ["http://keys.example/", "file:///etc/passwd", "", None, 3])
async def test_keys_are_read_over_safe_ways_only(uri: Any):
    """What a discovery document says is no reason to read them where others could change them."""
    async with local_issuer() as local:
        local.garbage = msgspec.json.encode({"issuer": local.url, "jwks_uri": uri})
        with pytest.raises(KeysUnreadable, match="begins with https"):
            await HttpKeySource().fetch(Issuer(local.url))


async def test_one_who_does_not_listen_is_unreadable():
    """A port without a server."""
    with pytest.raises(KeysUnreadable, match="cannot be had"):
        await HttpKeySource().fetch(Issuer("http://127.0.0.1:9", jwks_uri="http://127.0.0.1:9/k"))
