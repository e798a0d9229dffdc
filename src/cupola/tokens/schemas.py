"""The section `[tokens]` of identity.toml: whose tokens call managed endpoints, and which.

    [[tokens.issuers]]
    issuer = "https://sts.windows.net/TENANT/"
    audiences = ["https://ml.azure.com"]         # the default
    permissions = ["user_impersonation"]         # one of them must be in scp, scope or roles

    [[tokens.grants]]
    role = "Inference.Call"                      # or group = "..." or subject = "..."
    projects = ["default"]                       # and endpoints = ["chat"]

docs/reference/authentication.md describes each field; a test compares.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cupola.kit.errors import CupolaError, Invalid
from cupola.tokens.model import (
    AUDIENCE,
    LEEWAY,
    By,
    Grantee,
    Issuer,
    Policy,
    TokenGrant,
    is_safe,
)

_LONGEST_LEEWAY = 600


class BadTokenSettings(CupolaError):
    """The section cannot be used. Said to the person who runs Cupola, so it may name paths."""


class IssuerEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One table `[[tokens.issuers]]`, as it stands there."""

    issuer: str
    jwks_uri: str = ""
    audiences: tuple[str, ...] = (AUDIENCE,)
    permissions: tuple[str, ...] = ()
    subject_claim: str = "sub"
    leeway: int = LEEWAY


class GrantEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One table `[[tokens.grants]]`, as it stands there."""

    issuer: str = ""
    subject: str = ""
    role: str = ""
    group: str = ""
    projects: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """`[tokens]`."""

    issuers: tuple[IssuerEntry, ...] = ()
    grants: tuple[GrantEntry, ...] = ()


def read_policy(file: Path, tables: Mapping[str, Any]) -> Policy:
    """The policy among the tables of `file`; that of no issuers if there is no such section.

    Raises:
        BadTokenSettings: It cannot be used; the message says where, and what is wrong.
    """
    try:
        return make_policy(msgspec.convert(tables.get("tokens", {}), Section))
    except (msgspec.ValidationError, Invalid) as error:
        raise BadTokenSettings(f"{file}, section [tokens]: {error}") from None


def make_policy(section: Section) -> Policy:
    """Raises: Invalid."""
    issuers = tuple([_make_issuer(each) for each in section.issuers])
    names = [each.issuer for each in issuers]
    if len(set(names)) != len(names):
        raise Invalid("One issuer stands there twice. Join the two tables 'tokens.issuers'.")
    return Policy(issuers, tuple([_make_grant(each, names) for each in section.grants]))


def _make_issuer(entry: IssuerEntry) -> Issuer:
    for address in (entry.issuer, entry.jwks_uri or entry.issuer):
        if not is_safe(address):
            raise Invalid(
                f"{address[:200]!r} should begin with https:// (http:// only on this machine), or "
                "anyone on the way could make tokens."
            )
    if not entry.audiences or not all(entry.audiences):
        raise Invalid(
            f"'audiences' of {entry.issuer} is empty. Say what tokens must be meant for, or a "
            "token for any other service would open this one."
        )
    if not 0 <= entry.leeway <= _LONGEST_LEEWAY:
        raise Invalid(f"'leeway' should be 0 to {_LONGEST_LEEWAY} seconds, not {entry.leeway}.")
    if not entry.subject_claim:
        raise Invalid("'subject_claim' should be the name of a claim, as \"sub\".")
    return Issuer(**{name: getattr(entry, name) for name in entry.__struct_fields__})


def _make_grant(entry: GrantEntry, issuers: list[str]) -> TokenGrant:
    named = [(by, name) for by in By if (name := getattr(entry, by.value))]
    if len(named) != 1:
        raise Invalid("Each table 'tokens.grants' needs one of 'subject', 'role' and 'group'.")
    if not entry.issuer and len(issuers) != 1:
        raise Invalid("With several issuers, each table 'tokens.grants' must name its 'issuer'.")
    issuer = entry.issuer or issuers[0]
    if issuer not in issuers:
        raise Invalid(f"'issuer' of a grant, {issuer[:200]!r}, is not among 'tokens.issuers'.")
    if not entry.projects and not entry.endpoints:
        raise Invalid("Each table 'tokens.grants' needs 'projects' or 'endpoints'.")
    by, name = named[0]
    return TokenGrant(
        Grantee(issuer, by, name), frozenset(entry.projects), frozenset(entry.endpoints)
    )
