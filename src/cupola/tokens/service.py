"""Verifying tokens: issuers' keys, fetched and kept, and tokens that were verified before.

Keys are fetched when they are first needed, then in the background when they have become old, and
at once, though not often, when a token names one that is not known: so an issuer's rotation is
followed without a pause. While an issuer is down, what is known of it goes on to count.

A verified token is remembered by its digest, so that all requests but the first cost microseconds;
none is kept itself.
"""

import asyncio
import hashlib
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.util import urlsafe_b64decode

from cupola.kit.clock import Clock
from cupola.kit.errors import Unavailable
from cupola.kit.tasks import supervise
from cupola.tokens.model import (
    ALGORITHMS,
    LONGEST_TOKEN,
    InvalidToken,
    Issuer,
    Policy,
    Verified,
    read_claims,
)
from cupola.tokens.ports import Jwk, KeySource, KeysUnreadable

FRESH: Final = 900.0
"""Seconds after which keys are asked for again, and a remembered token is verified again: what an
issuer withdrew counts no longer than twice that, if the issuer can be reached."""
PAUSE: Final = 10.0
"""Seconds between two questions to one issuer, whatever tokens strangers send."""
MOST_TOKENS: Final = 10_000
"""Remembered at once: some 5 MB."""
_MOST_KEYS: Final = 64
_RETRY_AFTER: Final = 10.0
_SMALLEST_RSA: Final = 2048
_KINDS: Final = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
"""Beginning of an algorithm -> the keys that it needs."""
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
_NO_JWT: Final = "What was sent is no signed JWT. Send the access token as its issuer wrote it."

_log = logging.getLogger(__name__)


class _Head(msgspec.Struct):
    """Of a token; the rest of it says nothing that counts."""

    alg: str
    kid: str | None = None
    crit: Any = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class _Key:
    """One of an issuer's keys, usable."""

    id: str | None
    algorithm: str | None
    """None: it does not say for which it is."""
    key: RSAKey | ECKey | OKPKey

    def suits(self, head: _Head) -> bool:
        """Whether a token with this head can be signed with it."""
        if self.algorithm not in (None, head.alg) or not isinstance(self.key, _KINDS[head.alg[:2]]):
            return False
        return head.kid is None or head.kid == self.id


@dataclass(frozen=True, slots=True)
class TokenStatistics:
    """Since the process started."""

    remembered: int
    """Tokens, now."""
    fetched: int
    """Times that an issuer said its keys."""
    failed: int
    """Times that one did not."""


class Tokens:
    """Says what a token proves."""

    def __init__(self, policy: Policy, source: KeySource, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[bytes, tuple[Verified, float]] = {}
        """Digest -> what was proved, and until when that is believed unseen."""
        forget = self._known.clear
        self._keys = {
            each.issuer: _IssuerKeys(each, source, clock, forget) for each in policy.issuers
        }

    async def verify(self, token: str) -> Verified:
        """What the token proves.

        Raises:
            InvalidToken: Nothing; the message says why.
            InsufficientScope: It lacks a permission that all tokens of its issuer need.
            Unavailable: Its issuer's keys are not known yet, and cannot be had.
        """
        digest = hashlib.blake2b(token.encode(errors="surrogatepass"), digest_size=32).digest()
        now = self._clock.now()
        if (known := self._known.get(digest)) is not None:
            verified, until = known
            if now < until:
                return verified
            del self._known[digest]
        verified = await self._verify(token, now)
        self._remember(digest, verified, now)
        return verified

    def statistics(self) -> TokenStatistics:
        """The counts so far."""
        return TokenStatistics(
            remembered=len(self._known),
            fetched=sum(each.fetched for each in self._keys.values()),
            failed=sum(each.failed for each in self._keys.values()),
        )

    async def _verify(self, token: str, now: float) -> Verified:
        head, claims = _read(token)
        keys = self._find_issuer(claims)
        candidates = await keys.find(head)
        if not candidates:
            raise InvalidToken(
                "The token is signed with a key that its issuer does not publish. Ask the issuer "
                "for a new token."
            )
        if not any(_is_signed(token, head, each) for each in candidates):
            raise InvalidToken("The token's signature is not that of its issuer.")
        return read_claims(claims, keys.issuer, now)

    def _find_issuer(self, claims: Mapping[str, Any]) -> "_IssuerKeys":
        if not self._keys:
            raise InvalidToken(
                "No issuer of tokens is accepted here. Whoever runs this server names issuers in "
                "the section [tokens] of identity.toml."
            )
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer not in self._keys:
            raise InvalidToken(
                "The token's issuer ('iss') is not accepted here. Ask whoever runs this server "
                "whose tokens are."
            )
        return self._keys[issuer]

    def _remember(self, digest: bytes, verified: Verified, now: float) -> None:
        if len(self._known) >= MOST_TOKENS:
            del self._known[next(iter(self._known))]  # the oldest
        self._known[digest] = (verified, min(verified.expires, now + FRESH))


class _IssuerKeys:
    """The keys of one issuer, as far as they are known.

    Args:
        on_change: Called when the issuer publishes other keys than before.
    """

    def __init__(
        self, issuer: Issuer, source: KeySource, clock: Clock, on_change: Callable[[], None]
    ) -> None:
        self.issuer = issuer
        self.fetched = self.failed = 0
        self._source = source
        self._clock = clock
        self._keys: Sequence[_Key] = ()
        self._published: Sequence[Jwk] | None = None
        self._asked: float | None = None
        self._answered: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._is_down = False
        self._on_change = on_change

    async def find(self, head: _Head) -> Sequence[_Key]:
        """The keys that a token with this head may be signed with. Raises: Unavailable."""
        if self._is_old() and self._may_ask():
            fetching = self._fetch()
            if self._answered is None:
                await asyncio.shield(fetching)
        found = self._find(head)
        if not found and (self._may_ask() or self._fetching is not None):
            await asyncio.shield(self._fetch())
            found = self._find(head)
        if self._answered is None:
            raise Unavailable(
                "The keys of the token's issuer cannot be fetched now. Try again later; the log "
                "says why.",
                retry_after=_RETRY_AFTER,
            )
        return found

    def _find(self, head: _Head) -> Sequence[_Key]:
        return [key for key in self._keys if key.suits(head)]

    def _is_old(self) -> bool:
        return self._answered is None or self._clock.monotonic() - self._answered >= FRESH

    def _may_ask(self) -> bool:
        return self._asked is None or self._clock.monotonic() - self._asked >= PAUSE

    def _fetch(self) -> asyncio.Task[None]:
        """One question at a time, whoever waits for its answer."""
        if self._fetching is None:
            self._asked = self._clock.monotonic()
            self._fetching = supervise(self._ask(), name="fetch keys")
            self._fetching.add_done_callback(self._end_fetching)
        return self._fetching

    def _end_fetching(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _ask(self) -> None:
        try:
            published = await self._source.fetch(self.issuer)
        except KeysUnreadable as error:
            self.failed += 1
            if not self._is_down:
                _log.warning("What is known of an issuer goes on to count. %s", error)
            self._is_down = True
            return
        self._is_down = False
        self.fetched += 1
        self._answered = self._clock.monotonic()
        if published != self._published:
            self._published = published
            self._keys = _import(published)
            self._on_change()


def _read(token: str) -> tuple[_Head, Mapping[str, Any]]:
    """Head and claims of a token, none of it proved yet."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST_TOKEN or not token.isascii():
        raise InvalidToken(_NO_JWT)
    try:
        head = msgspec.json.decode(urlsafe_b64decode(parts[0].encode()), type=_Head)
        claims = msgspec.json.decode(urlsafe_b64decode(parts[1].encode()), type=dict[str, Any])
    except (ValueError, RecursionError):  # msgspec's errors and binascii's are ValueErrors
        raise InvalidToken(_NO_JWT) from None
    if head.alg not in ALGORITHMS:
        raise InvalidToken(
            f"The token's algorithm is not accepted. Ask its issuer for one of {ALGORITHMS[0]}, "
            f"{ALGORITHMS[3]}, {ALGORITHMS[6]} or their like, signed with a private key."
        )
    if head.crit is not msgspec.UNSET:
        raise InvalidToken("The token's head has 'crit', and none of its extensions is known here.")
    return head, claims


def _is_signed(token: str, head: _Head, key: _Key) -> bool:
    with warnings.catch_warnings():
        # Issuers sign with `EdDSA` although it has a new name, and will for years.
        warnings.simplefilter("ignore", SecurityWarning)
        try:
            jws.deserialize_compact(token, key.key, algorithms=[head.alg], registry=_REGISTRY)
        except (JoseError, ValueError, TypeError):
            return False
    return True


def _import(published: Sequence[Jwk]) -> Sequence[_Key]:
    """Those that can be used; issuers also publish keys for encryption, or of new kinds."""
    keys = [_import_one(jwk) for jwk in published[:_MOST_KEYS]]
    return [key for key in keys if key is not None]


def _import_one(jwk: Jwk) -> _Key | None:
    if jwk.get("use", "sig") != "sig" or jwk.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    names = {name: value for name in ("kid", "alg") if isinstance(value := jwk.get(name), str)}
    # Only what makes the key: what issuers write beside it must not keep it from being one.
    parts = {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # a short key is refused below
            key = import_key(parts)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("A key of an issuer cannot be used: %s", error)
        return None
    if isinstance(key, RSAKey) and key.raw_value.key_size < _SMALLEST_RSA:
        _log.warning("A key of an issuer has less than %d bits.", _SMALLEST_RSA)
        return None
    if not isinstance(key, RSAKey | ECKey | OKPKey):
        return None
    return _Key(names.get("kid"), names.get("alg"), key)
