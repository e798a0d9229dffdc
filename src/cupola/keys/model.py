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
from typing import Final, Literal, TypeAlias

from cupola.ids import EndpointName, ProjectName, UserId

Slot: TypeAlias = Literal["primary", "secondary"]
"""Both keys are valid at once, so that callers can move over before one is regenerated."""

SECRET_BYTES = 32
KEY_CHARACTERS = 32
"""As many as the Azure service's keys have; 62 ** 32 is 190 bits."""

KEY_ALPHABET: Final = string.ascii_letters + string.digits
_PAIRS: Final = [low + high for high in KEY_ALPHABET for low in KEY_ALPHABET]
_PURPOSE_LABEL = b"cupola purpose 1"
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


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """A key for several endpoints of a project, of which only the digest is kept.

    It can do no more than whoever made it: it is dead while they are disabled, or may not call the
    project's endpoints themselves (`gateway.snapshot`).
    """

    id: str
    """`key_...`; may be shown."""
    project: ProjectName
    name: str
    """For people; unique in its project."""
    digest: bytes
    endpoints: tuple[EndpointName, ...] | None
    """Those it may call; None: all of the project, also later ones."""
    made_by: UserId | None
    """None: this machine's console, which is an administrator for as long as the installation is.
    """
    created: int
    expires: int | None = None
    """Seconds since the Unix epoch; None: never."""


def derive(secret: bytes, lineage: Lineage, slot: Slot, generation: int) -> str:
    """The key in `slot` of an endpoint: 32 characters of `[A-Za-z0-9]`."""
    parts = [_KEY_LABEL, lineage.endpoint.encode()]
    if lineage.seed:
        parts = [_SEEDED_LABEL, lineage.project.encode(), *parts[1:], lineage.seed.encode()]
    label = b"\0".join([*parts, slot.encode(), str(generation).encode()])
    # 512 bits for 190: taking the remainder favours no character by more than 2 ** -300.
    number = int.from_bytes(hmac.digest(secret, label, "sha512"))
    return _spell(number)


def digest(secret: bytes, key: str) -> bytes:
    """What a presented key is looked up by. Any text is accepted, also what is no key."""
    # A tenth of the time of HMAC, and it is done for every request.
    text = key.encode(errors="surrogatepass")
    return hashlib.blake2b(text, key=secret, person=_DIGEST_PERSON, digest_size=32).digest()


def derive_secret(secret: bytes, purpose: str) -> bytes:
    """A secret for one purpose alone: what one of them gives away is of no use to the others."""
    return hmac.digest(secret, b"\0".join([_PURPOSE_LABEL, purpose.encode()]), "sha256")


def _spell(number: int) -> str:
    """The lowest digits of the number, to the base of the alphabet, from the lowest up.

    Two at a time, and without what is above them: a start spells two keys of every endpoint.
    """
    number %= len(KEY_ALPHABET) ** KEY_CHARACTERS
    pairs = []
    for _ in range(KEY_CHARACTERS // 2):
        number, index = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[index])
    return "".join(pairs)
