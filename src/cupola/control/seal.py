"""Text that callers carry for us and cannot change: cursors, and operations' ids.

    base64url(value as JSON, 16 bytes of HMAC-SHA-256 over purpose and value)

It hides nothing; whoever presents it must be allowed to see what it leads to.
"""

import binascii
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final, TypeAlias

_TAG: Final = 16
"""Bytes."""
LONGEST: Final = 1024
"""Characters of a sealed text."""

Values: TypeAlias = Sequence[str | int]


class NotOurs(Exception):
    """The text was not sealed here for this purpose."""


class Seal:
    """Seals with a secret of its own."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def close(self, purpose: str, values: Values) -> str:
        """`values` as text, which only `open` with the same purpose reads."""
        body = json.dumps(list(values), separators=(",", ":")).encode()
        return urlsafe_b64encode(self._tag(purpose, body) + body).decode().rstrip("=")

    def open(self, purpose: str, text: str) -> list[str | int]:
        """What was closed. Raises: NotOurs."""
        if len(text) > LONGEST:
            raise NotOurs
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (UnicodeEncodeError, binascii.Error) as error:
            raise NotOurs from error
        tag, body = raw[:_TAG], raw[_TAG:]
        # The text itself is compared as well: decoding forgives characters that are none of base64.
        if not hmac.compare_digest(tag, self._tag(purpose, body)) or text != (
            urlsafe_b64encode(raw).decode().rstrip("=")
        ):
            raise NotOurs
        values: list[str | int] = json.loads(body)
        return values

    def _tag(self, purpose: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, purpose.encode() + b"\0" + body, "sha256")[:_TAG]
