"""Users, and the tokens with which they come back.

A token is 43 random characters behind a prefix; only its digest is kept, so that nobody can read
one out of the database. A user who is disabled, and every token of theirs, is nobody at once.
"""

from dataclasses import dataclass
from enum import StrEnum

from cupola.ids import UserId


class Origin(StrEnum):
    """Who vouches for a user."""

    LOCAL = "local"
    """A password kept here, as an argon2id hash."""
    OIDC = "oidc"
    """An OpenID Connect provider: `issuer` and `subject` name the user there."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    id: UserId
    name: str
    """What people type and see; unique, compared exactly: `ada` or `ada@example.org`."""
    origin: Origin
    created: int
    """Seconds since the Unix epoch."""
    administrator: bool = False
    """Of the platform: may do everything in every project."""
    disabled: bool = False
    issuer: str | None = None
    subject: str | None = None
    """With `issuer` unique; both None for local users."""
    password_hash: str | None = None
    """None: cannot sign in with a password."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, of a browser, a command line or a program."""

    id: str
    """`ses_...`; may be shown."""
    digest: bytes
    """Of the token, by which a presented one is looked up."""
    user: UserId
    label: str
    """Where it is used, for its owner's list: `cupola on laptop`."""
    created: int
    expires: int
    """Seconds since the Unix epoch."""
    scopes: frozenset[str] | None = None
    """Rights (`projects.model.Right`) beyond which this token cannot go; None: its user's."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as far as it has been proved."""

    user: User
    source: str
    """Where from, for the audit log: an address, or `console` for this machine's own commands."""
    session: str | None = None
    """The session's id; None: the local console."""
    scopes: frozenset[str] | None = None
    """As `Session.scopes`."""

    @property
    def is_console(self) -> bool:
        """Whether it is this machine's, and so no user of the database."""
        return self.session is None


@dataclass(frozen=True, slots=True)
class Vouched:
    """What a provider said of somebody who signed in there, after all of it was verified."""

    issuer: str
    subject: str
    """Never changes and is never given to another; the only thing by which a user is found."""
    name: str
    """What to call them, from their provider's claims; for people only, since whoever chooses an
    e-mail address or a name there must not become somebody else here."""
    groups: frozenset[str]
    administrator: bool | None = None
    """What their groups say; None: the mapping leaves that to administrators here."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A browser on its way to the provider, and what it must bring back."""

    url: str
    """Where the provider asks who it is."""
    state: str
    nonce: str
    verifier: str
    """For PKCE: proves that whoever redeems the code is who asked for it."""
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a browser brought back from the provider; nothing of it is believed yet."""

    code: str | None
    state: str | None
    issuer: str | None = None
    """RFC 9207's `iss`."""
    error: str | None = None
