"""Issuers whose tokens are accepted, and what the claims of a token prove.

A token is believed if all of this holds; the first that does not is what the caller is told:

    it is a signed JWT, its algorithm is one of ALGORITHMS, and nothing in its head is `crit`
    its `iss` is, letter by letter, an issuer of the settings
    its signature fits one of that issuer's published keys, for signatures and for that algorithm
    `aud` names one of the issuer's audiences
    `exp` has not passed, `nbf` has come; both with the issuer's leeway
    one of the required permissions is in `scp`, `scope` or `roles`, if any is required

What it stands for then is a few grantees: its subject, its roles, its groups. What those may call
is not known here, so that a token can be remembered while rights change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from cupola.kit.errors import Forbidden, Unauthenticated

AUDIENCE: Final = "https://ml.azure.com"
"""What clients of the service ask tokens for, if nobody tells them another."""
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                     "ES256", "ES384", "ES512", "Ed25519", "EdDSA")  # fmt: skip
"""Signatures with a private key only: with `none` or a shared secret (`HS...`) whoever knows what
is published could make tokens."""
LEEWAY: Final = 60
"""Seconds by which clocks may differ."""
LONGEST_TOKEN: Final = 16 * 1024
"""Half of what a request's head may have. Those of large directories have 3 KiB."""
_MOST_NAMES: Final = 256
"""Roles and groups of one token that count; issuers refer elsewhere for more."""


class InvalidToken(Unauthenticated):
    """A token was sent, but proves nothing here."""


class InsufficientScope(Forbidden):
    """The token is good, but gives no right to this."""


class By(StrEnum):
    """What in a token names whom it stands for."""

    SUBJECT = "subject"
    ROLE = "role"
    GROUP = "group"


class Grantee(NamedTuple):
    """Whom a right can be given to: everyone whose token says this."""

    issuer: str
    by: By
    name: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted."""

    issuer: str
    """As its tokens' `iss` says it."""
    jwks_uri: str = ""
    """Where its keys are; empty: where its discovery document says."""
    audiences: tuple[str, ...] = (AUDIENCE,)
    """One of them must be in `aud`."""
    permissions: tuple[str, ...] = ()
    """One of them must be in `scp`, `scope` or `roles`; empty: none need be."""
    subject_claim: str = "sub"
    """What users are known by; `oid` where an issuer's `sub` differs from one client to another."""
    leeway: int = LEEWAY


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A right to call that the settings give to whoever has a role, a group or a subject."""

    grantee: Grantee
    projects: frozenset[str] = frozenset()
    """All token endpoints of these."""
    endpoints: frozenset[str] = frozenset()
    """And these."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of tokens; without issuers no token is accepted."""

    issuers: tuple[Issuer, ...] = ()
    grants: tuple[TokenGrant, ...] = ()


@dataclass(frozen=True, slots=True)
class Verified:
    """What a believed token proves."""

    grantees: tuple[Grantee, ...]
    expires: float
    """Seconds since the Unix epoch; leeway included."""


def is_safe(address: str) -> bool:
    """Whether nobody between could put other keys in the place of those that lie there."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.scheme == "http":
        return parts.hostname in ("127.0.0.1", "::1", "localhost")
    return parts.scheme == "https" and bool(parts.hostname)


def read_claims(claims: Mapping[str, Any], issuer: Issuer, now: float) -> Verified:
    """What the claims of a token with a good signature prove at `now`.

    Raises:
        InvalidToken: Nothing; the message says which claim, and what is expected of it.
        InsufficientScope: It lacks the required permission.
    """
    _check_audience(claims.get("aud"), issuer)
    expires = _read_time(claims, "exp")
    if expires is None:
        raise InvalidToken("The token has no 'exp'. Ask the issuer for one that expires.")
    if now >= expires + issuer.leeway:
        raise InvalidToken("The token has expired. Ask its issuer for a new one.")
    begins = _read_time(claims, "nbf")
    if begins is not None and now < begins - issuer.leeway:
        raise InvalidToken("The token is not valid yet ('nbf'). Compare the clocks.")
    _check_permissions(claims, issuer)
    return Verified(_list_grantees(claims, issuer), expires + issuer.leeway)


def _check_audience(audience: object, issuer: Issuer) -> None:
    sent = set(_list_texts(audience))
    if not sent & set(issuer.audiences):
        wanted = " or ".join(repr(each) for each in issuer.audiences)
        raise InvalidToken(
            f"The token is meant for another audience ('aud'). Ask its issuer for one for {wanted}."
        )


def _read_time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # A number beyond any calendar is no time; infinity and NaN are none of JSON's.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise InvalidToken(f"The token's '{name}' is no time in seconds.")
    return float(value)


def _check_permissions(claims: Mapping[str, Any], issuer: Issuer) -> None:
    if not issuer.permissions:
        return
    has = {
        *_list_words(claims.get("scp")),
        *_list_words(claims.get("scope")),
        *_list_texts(claims.get("roles")),
    }
    if not has & set(issuer.permissions):
        wanted = " or ".join(repr(each) for each in issuer.permissions)
        raise InsufficientScope(
            f"The token lacks the permission {wanted} in 'scp', 'scope' or 'roles'. Ask whoever "
            "runs its issuer to give it to you."
        )


def _list_grantees(claims: Mapping[str, Any], issuer: Issuer) -> tuple[Grantee, ...]:
    found = [
        *((By.SUBJECT, name) for name in _list_texts(claims.get(issuer.subject_claim))[:1]),
        *((By.ROLE, name) for name in _list_texts(claims.get("roles"))[:_MOST_NAMES]),
        *((By.GROUP, name) for name in _list_texts(claims.get("groups"))[:_MOST_NAMES]),
    ]
    return tuple(Grantee(issuer.issuer, by, name) for by, name in dict.fromkeys(found))


def _list_texts(value: object) -> Sequence[str]:
    """Of a claim that is a text or a list of texts; anything else in it names nobody."""
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return [each for each in value if isinstance(each, str) and each]
    return []


def _list_words(value: object) -> Sequence[str]:
    """Of a claim that has words between spaces, or a list of them."""
    return [word for text in _list_texts(value) for word in text.split()]
