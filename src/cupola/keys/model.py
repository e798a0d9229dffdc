"""Deriving an endpoint's keys, and recognising one that a caller presents.

Nothing of a key is ever written down. The installation has one secret (32 random bytes); a key is
a keyed hash of the endpoint's name, the slot and a generation that counts regenerations, so it can
be shown again at any time, and the same home gives the same keys after every restart. A caller's
key is looked up by its digest, a second keyed hash, so that the table in memory holds no key.

Who holds the secret holds every key: see docs/decisions/0002-keys-are-derived.md.

The labels below are part of the format. Changing one changes every key of every installation, so a
new format must get a new label and a generation of its own.
"""

import hashlib
import hmac
import string
from dataclasses import dataclass
from typing import Literal, TypeAlias

Slot: TypeAlias = Literal["primary", "secondary"]
"""Both keys are valid at once, so that callers can move over before one is regenerated."""

SECRET_BYTES = 32
KEY_CHARACTERS = 32
"""As many as the Azure service's keys have; 62 ** 32 is 190 bits."""

_ALPHABET = string.ascii_letters + string.digits
_KEY_LABEL = b"cupola endpoint key 1"
_SEEDED_LABEL = b"cupola endpoint key 2"
_DIGEST_PERSON = b"cupola digest 2"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The two keys of one endpoint."""

    primary: str
    secondary: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an endpoint's keys are derived from, beside the secret: nothing in it is secret."""

    endpoint: str
    project: str = ""
    seed: str = ""
    """Empty: an endpoint older than seeds, whose keys depend on its name alone."""


def derive(secret: bytes, lineage: Lineage, slot: Slot, generation: int) -> str:
    """The key in `slot` of an endpoint: 32 characters of `[A-Za-z0-9]`."""
    parts = [_KEY_LABEL, lineage.endpoint.encode()]
    if lineage.seed:
        parts = [_SEEDED_LABEL, lineage.project.encode(), *parts[1:], lineage.seed.encode()]
    label = b"\0".join([*parts, slot.encode(), str(generation).encode()])
    # 512 bits for 190: taking the remainder favours no character by more than 2 ** -300.
    number = int.from_bytes(hmac.digest(secret, label, "sha512"))
    return "".join(_characters(number))


def digest(secret: bytes, key: str) -> bytes:
    """What a presented key is looked up by. Any text is accepted, also what is no key."""
    # A tenth of the time of HMAC, and it is done for every request.
    text = key.encode(errors="surrogatepass")
    return hashlib.blake2b(text, key=secret, person=_DIGEST_PERSON, digest_size=32).digest()


def _characters(number: int) -> list[str]:
    characters = []
    for _ in range(KEY_CHARACTERS):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return characters
