"""The operator's URL -> where to connect, and the paths to ask for.

The URL is the base that clients of the service are given; a full URL that ends with
`/chat/completions` is taken as it stands, for services with layouts of their own.

Only the operator writes such URLs, so this guards against slips, not against attackers: an address
of the link-local range, where clouds keep their machines' credentials, is refused, and redirects
are followed nowhere. A name that resolves to such an address is not noticed.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cupola.engines.upstream.dialect import Dialect
from cupola.http.client import Tcp, Tls
from cupola.kit.errors import Invalid

_CHAT: Final = "/chat/completions"
_TEXT: Final = "/completions"
_FILL: Final = "/fim/completions"
_VERSION: Final = re.compile(r"/v\d+\w*(/|$)")
_TARGET: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Target:
    """An upstream's URL, taken apart."""

    address: Tcp | Tls
    chat: str
    """Path and query of chat completions."""
    text: str
    """The same of text completions."""
    fill: str
    """The same of fill-in-the-middle."""

    @property
    def exposes_key(self) -> bool:
        """Whether a key would travel in the clear through a network."""
        return isinstance(self.address, Tcp) and not _is_loopback(self.address.host)


def read_url(url: str, dialect: Dialect, ca_file: str | None = None) -> Target:
    """Take `url` apart.

    Raises:
        Invalid: It cannot be used; the message says why, and holds nothing of the URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("It is not a URL.") from None
    _check(parts)
    host = str(parts.hostname)
    address = Tls(host, port or 443, ca_file) if parts.scheme == "https" else Tcp(host, port or 80)
    path = _find_chat(parts.path.rstrip("/"), dialect)
    query = parts.query or dialect.query
    suffix = f"?{query}" if query else ""
    base = path.removesuffix(_CHAT)
    return Target(address, path + suffix, base + _TEXT + suffix, base + _FILL + suffix)


def _find_chat(path: str, dialect: Dialect) -> str:
    if path.endswith(_CHAT):
        return path
    if dialect.versioned and not _VERSION.search(path):
        path += "/v1"
    return path + _CHAT


def _check(parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("It must begin with https:// (or http://) and a host.")
    if parts.username is not None or parts.password is not None:
        raise Invalid("It may hold no user or password; give the key by 'key_variable' or "
                      "'key_file'.")  # fmt: skip
    if parts.fragment:
        raise Invalid("It may have no '#'.")
    if not _TARGET.fullmatch(parts.path + parts.query):
        raise Invalid("Its path may hold no space and no letter beyond ASCII.")
    if not _is_name(parts.hostname):
        raise Invalid("Its host is no name: each part has 1 to 63 characters of ASCII, other "
                      "letters written as 'xn--'.")  # fmt: skip
    ip = _read_ip(parts.hostname)
    if ip is not None and (ip.is_link_local or ip.is_multicast or ip.is_unspecified):
        raise Invalid("Addresses of this range are no model's: clouds keep credentials there.")


def _is_name(host: str) -> bool:
    """Whether the host can be looked up and sent at all: to find out when asking is too late."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return host.isascii()


def _read_ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(host)
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


def _is_loopback(host: str) -> bool:
    ip = _read_ip(host)
    return host == "localhost" if ip is None else ip.is_loopback
