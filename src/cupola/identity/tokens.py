"""Session tokens: what one looks like, and what is kept of it.

A token has 256 random bits, so a fast keyed hash suffices to keep it by; a slow one, as passwords
need, would only slow each request down. The label makes the hash different from that of an
endpoint's key, though the secret is the same.
"""

import hashlib
import secrets
import string

PREFIX = "cup_"
"""By which people, and scanners of published source text, recognise a token."""

_CHARACTERS = 43
"""62 ** 43 is 256 bits."""
_ALPHABET = string.ascii_letters + string.digits
_PERSON = b"cupola session 1"


def new_token() -> str:
    """A token that nobody had before."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))


def digest(secret: bytes, token: str) -> bytes:
    """What a presented token is looked up by. Any text is accepted, also what is no token."""
    text = token.encode(errors="surrogatepass")
    return hashlib.blake2b(text, key=secret, person=_PERSON, digest_size=32).digest()
