"""Whom a request is taken to be from, over real connections from 127.0.0.1."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.http.asgi import Message, Receive, Scope, Send, send_whole
from cupola.http.proxies import BehindProxies, Family, read_networks
from cupola.http.server import Server, listen
from cupola.kit.tasks import supervise

Headers = Sequence[tuple[str, str]]
PEER = ("127.0.0.1", "http")


async def _tell(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says who called, and how."""
    body = json.dumps([scope["client"][0], scope["scheme"]]).encode()
    await send_whole(send, 200, [(b"content-type", b"application/json")], body)


@asynccontextmanager
async def _serving(trusted: str, family: Family) -> AsyncIterator[int]:
    with listen("127.0.0.1", 0) as socket:
        socket.listen()
        server = Server(BehindProxies(_tell, read_networks(trusted), family), socket)
        task = supervise(server.run(), name="proxied")
        try:
            yield socket.getsockname()[1]
        finally:
            server.stop()
            await task


def _ask(port: int, headers: Headers) -> tuple[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("GET", "/")
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    address, scheme = json.loads(connection.getresponse().read())
    connection.close()
    return address, scheme


async def _see(trusted: str, headers: Headers, family: Family = "x-forwarded") -> tuple[str, str]:
    async with _serving(trusted, family) as port:
        return await asyncio.to_thread(_ask, port, headers)


FOR, PROTO = "X-Forwarded-For", "X-Forwarded-Proto"
LOCAL = "127.0.0.1"


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8", "::1"])
async def test_who_is_not_trusted_is_not_believed(trusted: str):
    """Anybody can write headers."""
    headers = [(FOR, "203.0.113.7"), (PROTO, "https"), ("Forwarded", "for=203.0.113.7;proto=https")]

    assert PEER == await _see(trusted, headers)
    assert PEER == await _see(trusted, headers, "forwarded")


@pytest.mark.parametrize(
    ("trusted", "headers", "expected"),
    [
        (LOCAL, [(FOR, "203.0.113.7"), (PROTO, "https")], ("203.0.113.7", "https")),
        ("127.0.0.0/8", [(FOR, "203.0.113.7:4711")], ("203.0.113.7", "http")),
        (LOCAL, [(FOR, "[2001:db8::1]:443")], ("2001:db8::1", "http")),
        (LOCAL, [(FOR, "::ffff:203.0.113.7")], ("203.0.113.7", "http")),
        (LOCAL, [(FOR, "10.9.9.9, 203.0.113.7")], ("203.0.113.7", "http")),
        (LOCAL, [(FOR, "127.0.0.1, 203.0.113.7")], ("203.0.113.7", "http")),
        (LOCAL, [(FOR, "10.9.9.9"), (FOR, "203.0.113.7")], ("203.0.113.7", "http")),
        (f"{LOCAL},10.0.0.2", [(FOR, "6.6.6.6, 203.0.113.7, 10.0.0.2")], ("203.0.113.7", "http")),
        (f"{LOCAL},10.0.0.2", [(FOR, "203.0.113.7, 10.0.0.2"), (PROTO, "https, http")],
         ("203.0.113.7", "https")),
        (f"{LOCAL},10.0.0.2", [(FOR, "203.0.113.7, 10.0.0.2"), (PROTO, "https")],
         ("203.0.113.7", "https")),
        (LOCAL, [(FOR, "203.0.113.7"), (PROTO, "https, http")], ("203.0.113.7", "http")),
        (LOCAL, [(FOR, "127.0.0.3"), (PROTO, "HTTPS")], ("127.0.0.3", "https")),
        (LOCAL, [(PROTO, "https")], (LOCAL, "https")),
        (LOCAL, [(FOR, "203.0.113.7, unknown")], PEER),
        (LOCAL, [(FOR, "203.0.113.7, ")], PEER),
        (LOCAL, [(FOR, "203.0.113.7"), (PROTO, "gopher")], ("203.0.113.7", "http")),
        (LOCAL, [("Forwarded", "for=203.0.113.7;proto=https")], PEER),
    ],
)  # fmt: skip
async def test_the_rightmost_that_is_not_trusted_is_the_caller(
    trusted: str, headers: Headers, expected: tuple[str, str]
):
    """What stands left of it the caller can have written."""
    assert expected == await _see(trusted, headers)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("for=203.0.113.7;proto=https;by=10.0.0.1", ("203.0.113.7", "https")),
        ('For="[2001:db8::1]:4711";Proto=https', ("2001:db8::1", "https")),
        ("for=6.6.6.6;proto=http, for=203.0.113.7;proto=https", ("203.0.113.7", "https")),
        ('for=6.6.6.6, for=203.0.113.7;host="a,b;c\\"d"', ("203.0.113.7", "http")),
        ("for=203.0.113.7;proto=https, for=127.0.0.1;proto=http", ("203.0.113.7", "https")),
        ("for=_hidden;proto=https", (LOCAL, "https")),
        ("for=203.0.113.7;;", PEER),
        ('for="203.0.113.7', PEER),
        ("nonsense", PEER),
    ],
)
async def test_forwarded_is_read_where_proxies_write_it(header: str, expected: tuple[str, str]):
    """As RFC 7239 has it; and then nothing else is."""
    headers = [("Forwarded", header), (FOR, "6.6.6.6"), (PROTO, "http")]

    assert expected == await _see(LOCAL, headers, "forwarded")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"]),
            st.text(st.sampled_from('127.0.1,:[]"\\;=for proto https\xff%'), max_size=60).map(
                lambda text: text.encode("latin-1")
            ),
        ),
        max_size=6,
    ),
    st.sampled_from(["x-forwarded", "forwarded"]),
)
def test_no_header_is_too_odd(headers: list[tuple[bytes, bytes]], family: Family):
    """A request gets some caller and some scheme, whatever a proxy passed on."""
    scope: Scope = {"type": "http", "client": (LOCAL, 1), "scheme": "http", "headers": headers}

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["scheme"] in ("http", "https")
        assert read_networks(scope["client"][0])

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None: ...

    asyncio.run(BehindProxies(inner, read_networks(LOCAL), family)(scope, receive, send))
