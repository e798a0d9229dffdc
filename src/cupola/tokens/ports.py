"""What tokens need from outside: the keys that issuers publish."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from cupola.kit.errors import CupolaError
from cupola.tokens.model import Issuer

Jwk: TypeAlias = Mapping[str, Any]
"""A public key as JSON (RFC 7517), unchecked."""


class KeysUnreadable(CupolaError):
    """An issuer did not say its keys. The message is for the log: it may name addresses."""


class KeySource(Protocol):
    """Asks an issuer for its keys.

    - `fetch` returns all keys that the issuer publishes now, whatever they are good for.
    - It raises `KeysUnreadable` if they cannot be had, or are not what keys look like.
    - It ends within some seconds.
    """

    async def fetch(self, issuer: Issuer) -> Sequence[Jwk]: ...
