"""Whom a proxy speaks for: callers' own addresses and schemes, where the proxy is trusted.

A proxy appends to a header where a request came from, so the last entry is of the proxy that we
see, the one before it of the proxy that this one saw. From the right, entries are believed for as
long as whoever wrote them is trusted: the first address that is not a trusted proxy's is the
caller's. What stands left of it anybody can have written.

Only one family of headers is read. A proxy that writes one of them passes the other on as a caller
sent it, so whoever read both could be told anything.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal, TypeAlias

from cupola.http.asgi import Receive, Scope, Send
from cupola.http.server import Application

Family: TypeAlias = Literal["x-forwarded", "forwarded"]
Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address
_SCHEMES: Final = frozenset({"http", "https"})
_PORT: Final = re.compile(r"\[(?P<six>[^\]]+)\](:\d+)?|(?P<four>[^:]+):\d+")
_PAIR: Final = re.compile(
    r"""\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=
        (?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]*)|"(?P<text>(?:[^"\\]|\\.)*)")
        \s*(?P<end>[;,]|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy says of whom it saw."""

    address: str
    scheme: str = ""
    """Empty: it does not say."""


class BehindProxies:
    """An application to which requests of trusted proxies look like their callers' own.

    Args:
        trusted: Addresses of proxies, each of which overwrites or appends to the headers.
        family: The headers that they write: `X-Forwarded-For` with `X-Forwarded-Proto`, or
            `Forwarded` (RFC 7239).
    """

    def __init__(
        self, inner: Application, trusted: Sequence[Network], family: Family = "x-forwarded"
    ) -> None:
        self._inner = inner
        self._trusted = trusted
        self._read = _READERS[family]
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if peer and self._is_trusted(peer[0]):
            self._look_behind(scope)
        await self._inner(scope, receive, send)

    def _look_behind(self, scope: Scope) -> None:
        for hop in self._read(scope["headers"]):
            if hop.scheme in _SCHEMES:
                scope["scheme"] = hop.scheme
            address = _read_address(hop.address)
            if address is None:  # `unknown`, or nonsense: the proxy itself is all there is to know
                return
            scope["client"] = (str(address), 0)
            if not self._is_trusted(str(address)):
                return

    def _look_up(self, text: str) -> bool:
        address = _read_address(text)
        return address is not None and any(address in network for network in self._trusted)


def read_networks(text: str) -> list[Network]:
    """Addresses and networks, with commas between them. Raises: ValueError, for what is neither."""
    return [ip_network(each.strip()) for each in text.split(",") if each.strip()]


def _read_address(text: str) -> _Address | None:
    """Without its port; an IPv4 address in IPv6's clothes is what it is."""
    found = _PORT.fullmatch(text)
    try:
        address = ip_address((found["six"] or found["four"]) if found else text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_x_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[_Hop]:
    """From the right. Schemes stand beside the addresses; a lone one is of the outermost proxy."""
    lists: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"x-forwarded-proto": []}
    for name, value in headers:
        if name in lists:
            lists[name] += [each.strip() for each in value.decode("latin-1").split(",")]
    addresses, schemes = lists.values()
    if not addresses and schemes:
        addresses = [""]  # a proxy that tells schemes only
    for behind, address in enumerate(reversed(addresses)):
        scheme = schemes[max(0, len(schemes) - 1 - behind)] if schemes else ""
        yield _Hop(address, scheme.lower())


def _read_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[_Hop]:
    """From the right; nothing, if the header is not what RFC 7239 says."""
    text = ",".join(value.decode("latin-1") for name, value in headers if name == b"forwarded")
    hops, pairs, place = [], dict[str, str](), 0
    while place < len(text):
        found = _PAIR.match(text, place)
        if found is None:
            return
        quoted = found["text"]
        value = found["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        pairs[found["name"].lower()] = value
        if found["end"] != ";":
            hops.append(_Hop(pairs.get("for", ""), pairs.get("proto", "").lower()))
            pairs = {}
        place = found.end()
    yield from reversed(hops)


_READERS: Final[dict[Family, Callable[[Iterable[tuple[bytes, bytes]]], Iterator[_Hop]]]] = {
    "x-forwarded": _read_x_forwarded,
    "forwarded": _read_forwarded,
}
