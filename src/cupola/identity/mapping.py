"""What an operator writes down of their provider: `identity.toml` in the home.

    issuer = "https://login.example.com"
    client_id = "cupola"
    client_secret_file = "oidc.secret"         # or client_secret_env; the secret never stands here
    groups_claim = "groups"
    administrators = ["platform-team"]

    [[mapping]]
    group = "search-team"
    project = "search"
    role = "developer"

docs/reference/identity.md describes each field; a test compares.
"""

import os
import re
import stat
from collections.abc import Collection, Sequence
from collections.abc import Mapping as Tables
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cupola.ids import NAME, ProjectName
from cupola.kit.errors import CupolaError
from cupola.settings import read_variable

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST: Final = 4096
"""Characters of a client's secret."""


class BadIdentity(CupolaError):
    """The file cannot be used. Said to the person who runs Cupola, so it may name paths."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Whoever is in a group at the provider has a role in a project."""

    group: str
    project: ProjectName
    role: str
    """One of `projects.model.Role`, which is not known here."""


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """A provider, and what its groups mean here."""

    issuer: str
    """Exactly as the provider writes it: it is compared, never followed elsewhere."""
    client_id: str
    client_secret: str | None = None
    """None: a public client, protected by PKCE alone."""
    name: str = "single sign-on"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    administrators: frozenset[str] | None = None
    """Groups; None: who is administrator is decided here."""
    mapping: tuple[Mapping, ...] = ()
    allowed_domains: frozenset[str] = frozenset()
    """Of verified e-mail addresses; empty: whoever the provider lets in."""

    def roles_of(self, groups: Collection[str]) -> Sequence[tuple[ProjectName, str]]:
        """The projects and roles of somebody in these groups; of one project there may be some."""
        return [(one.project, one.role) for one in self.mapping if one.group in groups]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    group: str = Field(min_length=1)
    project: str
    role: str


class _File(BaseModel):
    """The file's fields, by the names they have there."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret_env: str | None = None
    client_secret_file: str | None = None
    name: str = Field(default="single sign-on", min_length=1, max_length=60)
    scopes: list[str] = ["openid", "profile", "email"]
    groups_claim: str = Field(default="groups", min_length=1)
    administrators: list[str] | None = None
    allowed_domains: list[str] = []
    mapping: list[_Line] = []


FIELDS: Final = tuple(_File.model_fields)


def read_identity(
    path: Path, tables: Tables[str, Any], roles: Collection[str]
) -> OidcConfig | None:
    """The provider that the file describes; None if it describes none.

    Its section `[tokens]` is about programs that call endpoints (`tokens.schemas`).

    Args:
        path: The file, beside which a secret may lie.
        tables: What stands in it.
        roles: The roles that a mapping may give.

    Raises:
        BadIdentity: With all faults at once, each with its place.
    """
    table = {name: value for name, value in tables.items() if name != "tokens"}
    if not table:
        return None
    try:
        file = _File.model_validate(table)
    except ValidationError as error:
        raise _refuse(path, [_say(fault) for fault in error.errors()]) from None
    secret, faults = _read_secret(file, path.parent)
    faults += _check(file, roles)
    if faults:
        raise _refuse(path, faults)
    return _build(file, secret)


def _build(file: _File, secret: str | None) -> OidcConfig:
    administrators = None if file.administrators is None else frozenset(file.administrators)
    return OidcConfig(
        issuer=file.issuer,
        client_id=file.client_id,
        client_secret=secret,
        name=file.name,
        scopes=tuple(file.scopes),
        groups_claim=file.groups_claim,
        administrators=administrators,
        mapping=tuple(Mapping(o.group, ProjectName(o.project), o.role) for o in file.mapping),
        allowed_domains=frozenset(domain.lower() for domain in file.allowed_domains),
    )


def _refuse(path: Path, faults: Sequence[str]) -> BadIdentity:
    return BadIdentity(f"{path} cannot be used:\n  " + "\n  ".join(faults))


def _say(fault: Any) -> str:
    """The value is not repeated: it might be a secret in the wrong place."""
    place = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        known = ", ".join(_Line.model_fields if "mapping" in fault["loc"] else FIELDS)
        return f"{place}: unknown. Known are {known}."
    return f"{place}: {fault['msg']}."


def _check(file: _File, roles: Collection[str]) -> list[str]:
    faults = []
    if not is_safe(file.issuer) or urlsplit(file.issuer).query or urlsplit(file.issuer).fragment:
        faults.append(
            "issuer: an address that begins with https:// (http:// on this machine only)."
        )
    if "openid" not in file.scopes:
        faults.append("scopes: 'openid' must be among them.")
    if file.client_secret_env and file.client_secret_file:
        faults.append("client_secret_file: give it or client_secret_env, not both.")
    if any("@" in domain or "." not in domain for domain in file.allowed_domains):
        faults.append("allowed_domains: domains, as example.com.")
    for number, line in enumerate(file.mapping):
        if not NAME.fullmatch(line.project):
            faults.append(f"mapping.{number}.project: no name that a project can have.")
        if line.role not in roles:
            faults.append(f"mapping.{number}.role: one of {', '.join(roles)}.")
    return faults


def _read_secret(file: _File, folder: Path) -> tuple[str | None, list[str]]:
    """The client's secret, and what is wrong with where it should be."""
    if (variable := file.client_secret_env) is not None:
        if not _VARIABLE.fullmatch(variable):
            return None, ["client_secret_env: the name of an environment variable."]
        secret, where = read_variable(variable), f"client_secret_env: the variable {variable}"
        if secret is None:
            return None, [f"{where} is not set."]
    elif file.client_secret_file is not None:
        path = folder / file.client_secret_file
        where = f"client_secret_file: {path}"
        try:
            with path.open("rb") as opened:
                mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
                secret = opened.read(_LONGEST + 2).decode("latin-1")
        except OSError as error:
            return None, [f"{where} cannot be read: {error.strerror}."]
        if mode & 0o077:
            return None, [f"{where} is open to others (mode {mode:o}): chmod 600 it."]
    else:
        return None, []
    secret = secret.strip()
    if not secret or len(secret) > _LONGEST or not secret.isascii() or not secret.isprintable():
        return None, [f"{where} holds no secret: one line of ASCII."]
    return secret, []


def is_safe(url: str) -> bool:
    """Whether what is sent to an address stays between us and it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return secure and bool(host) and not parts.username
