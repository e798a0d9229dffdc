"""Which hosts a webhook may go to. No I/O.

Whoever governs a project names the address of a webhook, and the server, which stands inside the
network, is the one who asks it. So by default it goes to addresses of the public internet only; the
administrator lists what else may be asked, as host names, addresses or networks.

    listed           what may be asked
    nothing          public addresses
    a host's name    whatever it resolves to, but no link-local address: clouds keep secrets there
    an address,      these addresses, by whatever name; link-local ones too
    or a network

Names are judged by what they resolve to at the moment of connecting, and that very address is
connected to, so that nothing can change in between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

from cupola.kit.errors import Invalid

_Ip: TypeAlias = IPv4Address | IPv6Address
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""Whose last four bytes are an IPv4 address that a translator connects to (RFC 6052)."""
_LOCAL: Final = ("localhost",)
SETTING: Final = "CUPOLA_WEBHOOK_HOSTS"


@dataclass(frozen=True, slots=True)
class WebhookRule:
    """What the administrator allows."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def read(cls, listed: str) -> Self:
        """From names, addresses and networks with commas between.

        Raises:
            ValueError: One is none of these.
        """
        names, networks = set(), []
        for word in filter(None, (each.strip().lower() for each in listed.split(","))):
            try:
                networks.append(ip_network(word.strip("[]")))
            except ValueError:
                if not _is_name(word):
                    raise ValueError(f"{word} is no host, address or network") from None
                names.add(word.rstrip("."))
        return cls(frozenset(names), tuple(networks))

    def choose(self, host: str, addresses: Iterable[str]) -> Sequence[str]:
        """Of what `host` resolves to, what may be connected to."""
        return [each for each in addresses if self._allows(host, ip_address(each.split("%")[0]))]

    def check(self, url: str) -> None:
        """See at once what no attempt could deliver: names are for later.

        Raises:
            Invalid: The URL names an address, or this machine, that is not allowed.
        """
        host = urlsplit(url).hostname or ""
        address = _read(host)
        if address is None and host.rstrip(".") in _LOCAL:
            address = IPv4Address("127.0.0.1")
        if address is not None and not self._allows(host, address):
            raise Invalid(refusal(host), path=("webhook",))

    def _allows(self, host: str, address: _Ip) -> bool:
        inner = _unwrap(address)
        if any(each in network for network in self.networks for each in (address, inner)):
            return True
        if inner.is_link_local or inner.is_unspecified or inner.is_multicast:
            return False
        named = host.lower().rstrip(".") in self.names
        return named or (inner.is_global and not inner.is_reserved)


def refusal(host: str) -> str:
    """Why nothing is sent to `host`, and what would help."""
    return (
        f"{host} is not on the public internet, so no webhook is sent there. An administrator can "
        f"allow it in {SETTING}."
    )


def _read(host: str) -> _Ip | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unwrap(address: _Ip) -> _Ip:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_name(word: str) -> bool:
    return all(part and part.replace("-", "").replace("_", "").isalnum() for part in
               word.rstrip(".").split(".")) and word.isascii()  # fmt: skip
