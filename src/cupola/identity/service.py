"""The verbs of identity: sign in, recognise a token, and keep users.

Whoever is denied is told the same whether a name exists or not, after the same time.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Final

from cupola.identity import console
from cupola.identity.first import FirstCode
from cupola.identity.model import Origin, Principal, Session, User, Vouched
from cupola.identity.passwords import Passwords
from cupola.identity.ports import SessionStore, UnitOfWork, UserStore
from cupola.identity.tokens import PREFIX, digest, new_token
from cupola.identity.tries import Tries
from cupola.ids import UserId, new_id
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, Invalid, Malformed, NotFound, Unauthenticated

LIFETIME: Final = 7 * 24 * 3600
"""Seconds of a session, if nothing else is said."""
LONGEST_LIFETIME: Final = 366 * 24 * 3600
_NAME: Final = re.compile(r"(?!usr_)[a-z0-9][a-z0-9._@+-]{0,126}[a-z0-9]")
"""Lower case, so that nobody looks like another; not like an id, by which users go as well."""
_ID: Final = re.compile(r"usr_[a-z0-9]+")
"""What is no name or id is not looked for: databases fail at some texts."""
_LABEL: Final = 100
"""Characters of a session's label."""
_FRESH: Final = 1.0
"""Seconds in which a recognised token is not looked up again. What this process changes counts at
once; what another one on the same database changes, after this."""
_NO_CODE: Final = (
    "This link is not good, or not any more: it works once, for an hour. Restart Cupola, and it "
    "prints another if there is no administrator yet."
)
_MOST_FRESH: Final = 10_000
_WRONG: Final = "The name or the password is wrong."
_UNKNOWN: Final = "The token is unknown, has expired or was revoked. Sign in again: cupola login."


@dataclass(frozen=True, slots=True)
class _Recognised:
    session: Session
    user: User
    until: float


class Identity:
    """Users and their sessions.

    Args:
        work: Of both stores; what is read decides what is written, as whether there is an
            administrator yet.
        secret: The installation's; tokens' digests are keyed with it.
        passwords: Hashes and verifies; the caller closes it.
        lifetime: Seconds of a session.
        console_token: What `identity.console.write_console_token` returned; None: no console.
    """

    def __init__(
        self,
        users: UserStore,
        sessions: SessionStore,
        work: UnitOfWork,
        clock: Clock,
        secret: bytes,
        *,
        passwords: Passwords | None = None,
        lifetime: int = LIFETIME,
        console_token: str | None = None,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._work = work
        self._clock = clock
        self._secret = secret
        self._passwords = passwords or Passwords()
        self._lifetime = lifetime
        self._console = digest(secret, console_token) if console_token else None
        self._tries = Tries(clock)
        self._first = FirstCode(clock)
        self._fresh: dict[bytes, _Recognised] = {}
        self._epoch = 0

    async def authenticate(self, token: str, source: str) -> Principal:
        """Who presents a token.

        Args:
            source: The caller's address.

        Raises:
            Unauthenticated: Nobody, or somebody who is disabled.
        """
        presented = digest(self._secret, token)
        if self._console and compare_digest(self._console, presented):
            if not console.is_this_machine(source):
                raise Unauthenticated(_UNKNOWN, private=f"The console's token, from {source}.")
            return console.PRINCIPAL
        known = self._fresh.get(presented)
        if known is None or known.until <= self._clock.monotonic():
            known = await self._look_up(token, presented)
        if known.session.expires <= self._now():
            raise Unauthenticated(_UNKNOWN)
        return Principal(known.user, source, known.session.id, known.session.scopes)

    async def sign_in(
        self, name: str, password: str, source: str, label: str
    ) -> tuple[Session, str]:
        """A new session for whoever knows the password, and its token, which is not kept.

        Raises:
            Unauthenticated, RateLimited: As `verify`.
        """
        return await self.open_session(await self.verify(name, password, source), label)

    async def verify(self, name: str, password: str, source: str) -> User:
        """Whoever knows the password. Slow on purpose, so not to be awaited in a transaction.

        Raises:
            Unauthenticated: Unknown, disabled, or the wrong password.
            RateLimited: Too many failed before, of this name or from this source.
        """
        tried = name[:_LABEL]
        self._tries.begin(tried, source)
        user = await self.find_named(name)
        known = user.password_hash if user else None
        good = await self._passwords.verify(known, password)
        if not good or user is None or known is None or user.disabled:
            raise Unauthenticated(_WRONG, private=f"A sign-in from {source} failed.")
        self._tries.succeed(tried, source)
        if self._passwords.is_outdated(known):
            rehashed = await self._passwords.hash(password)
            user = replace(user, password_hash=rehashed, version=user.version + 1)
            await self._users.save(user)
        return user

    async def sign_in_vouched(self, vouched: Vouched) -> User:
        """Whom a provider vouches for: found by issuer and subject alone, or made.

        The provider decides anew each time who is administrator, where its mapping says so.

        Raises:
            Unauthenticated: Disabled here, whatever the provider says.
        """
        async with self._change():
            user = await self._users.find_subject(vouched.issuer, vouched.subject)
            if user is None:
                return await self._add_vouched(vouched)
            if user.disabled:
                raise Unauthenticated("This account is disabled. Ask an administrator.")
            if vouched.administrator in (None, user.administrator):
                return user
            return await self._save(replace(user, administrator=bool(vouched.administrator)))

    async def open_session(
        self,
        user: User,
        label: str,
        *,
        scopes: frozenset[str] | None = None,
        lifetime: int | None = None,
        opener: Principal | None = None,
    ) -> tuple[Session, str]:
        """A session, and its token, which is not kept and cannot be shown again.

        Args:
            scopes: Rights beyond which the token cannot go; None: its user's, or its opener's.
            lifetime: Seconds; None: as long as any sign-in.
            opener: Who asks, with a token already: what comes of it is never wider, and what comes
                of a narrowed token lives no longer than it.

        Raises:
            Invalid: Scopes that the opener's token lacks, or a lifetime out of bounds.
        """
        if user.id == console.CONSOLE.id:
            raise Invalid("The console has a token of its own and no sessions. Sign in as a user.")
        now = self._now()
        expires = now + self._check_lifetime(lifetime)
        if opener is not None and opener.scopes is not None:
            scopes = opener.scopes if scopes is None else scopes
            _check_scopes(scopes, opener.scopes)
            expires = min(expires, await self._expiry(opener))
        token = new_token()
        session = Session(
            new_id("ses"), digest(self._secret, token), user.id, _tidy(label), now, expires, scopes
        )
        await self._sessions.add(session)
        return session, token

    async def end_session(self, user: UserId, session: str) -> None:
        """Its token is nobody's at once. Ending what is not there does nothing."""
        await self._sessions.end(session, user)
        self._forget_recognised()

    async def list_sessions(self, user: UserId) -> Sequence[Session]:
        """Those that are still good, newest first."""
        return await self._sessions.list(user, self._now())

    async def sweep(self) -> None:
        """Forget sessions that have expired; to be called now and then."""
        await self._sessions.sweep(self._now())

    async def list_users(self) -> Sequence[User]:
        """All of them, by name."""
        return await self._users.list()

    async def get_user(self, user: UserId) -> User:
        """The user, or `NotFound`."""
        found = await self._users.find(user) if _ID.fullmatch(user) else None
        if found is None:
            raise NotFound(f"There is no user {user!r}.")
        return found

    async def find_named(self, name: str) -> User | None:
        """The user of that name."""
        return await self._users.find_named(name) if _NAME.fullmatch(name) else None

    async def create_user(
        self, name: str, password: str | None, *, administrator: bool = False
    ) -> User:
        """A local user; without a password they cannot sign in until they get one.

        Raises:
            Malformed: The name or the password is not usable.
            Conflict: The name is taken.
        """
        user = replace(await self._make_local(name, password), administrator=administrator)
        await self._users.add(user)
        return user

    async def set_password(self, user: UserId, password: str) -> User:
        """Another password; whoever is signed in with the old one is so no more.

        Raises:
            Invalid: A provider vouches for this user, who so has no password here.
        """
        hashed = await self._passwords.hash(password)
        async with self._change():
            known = await self.get_user(user)
            if known.origin is not Origin.LOCAL:
                raise Invalid(
                    f"{known.name!r} signs in with a provider: change the password there."
                )
            saved = await self._save(replace(known, password_hash=hashed))
            await self._end_all(user)
        return saved

    async def disable(self, user: UserId, disabled: bool = True) -> User:
        """Let nobody be this user any more, or again.

        Raises:
            Conflict: They are the last administrator.
        """
        async with self._change():
            known = await self.get_user(user)
            if disabled:
                await self._keep_an_administrator(known)
            saved = await self._save(replace(known, disabled=disabled))
            if disabled:
                await self._end_all(user)
        return saved

    async def set_administrator(self, user: UserId, administrator: bool) -> User:
        """Whether they may do everything.

        Raises:
            Conflict: They are the last administrator.
        """
        async with self._change():
            known = await self.get_user(user)
            if not administrator:
                await self._keep_an_administrator(known)
            return await self._save(replace(known, administrator=administrator))

    async def ensure_first_link(self) -> str | None:
        """A new code for the first administrator; None if there is an administrator."""
        if await self._has_administrator():
            self._first.spend()
            return None
        return self._first.renew()

    async def claim_first(self, code: str, name: str, password: str, source: str) -> User:
        """The first administrator, made by whoever read the code on the console.

        Raises:
            Unauthenticated: Not the code, or not any more.
        """
        self._tries.begin("the first administrator", source)
        if not self._first.matches(code):
            raise Unauthenticated(_NO_CODE)
        self._tries.succeed("the first administrator", source)
        user = replace(await self._make_local(name, password), administrator=True)
        async with self._change():
            if not self._first.matches(code) or await self._has_administrator():
                raise Unauthenticated(_NO_CODE)  # somebody was faster
            await self._users.add(user)
        self._first.spend()
        return user

    async def _make_local(self, name: str, password: str | None) -> User:
        _check_name(name)
        return User(
            id=UserId(new_id("usr")),
            name=name,
            origin=Origin.LOCAL,
            created=self._now(),
            password_hash=None if password is None else await self._passwords.hash(password),
        )

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        try:
            async with self._work.transaction():
                yield
        finally:
            self._forget_recognised()

    async def _look_up(self, token: str, presented: bytes) -> _Recognised:
        epoch = self._epoch
        session = user = None
        if token.startswith(PREFIX):
            session = await self._sessions.find(presented, self._now())
        if session is not None:
            user = await self._users.find(session.user)
        if session is None or user is None or user.disabled:
            raise Unauthenticated(_UNKNOWN)
        known = _Recognised(session, user, self._clock.monotonic() + _FRESH)
        if epoch == self._epoch:  # nothing was changed while we read
            if len(self._fresh) >= _MOST_FRESH:
                self._fresh.clear()
            self._fresh[presented] = known
        return known

    async def _add_vouched(self, vouched: Vouched) -> User:
        user = User(
            id=UserId(new_id("usr")),
            name=await self._free_name(vouched.name),
            origin=Origin.OIDC,
            created=self._now(),
            administrator=bool(vouched.administrator),
            issuer=vouched.issuer,
            subject=vouched.subject,
        )
        await self._users.add(user)
        return user

    async def _free_name(self, wanted: str) -> str:
        """A name that nobody has, as near to the wanted one as can be."""
        base = re.sub(r"[^a-z0-9._@+-]+", "-", wanted.lower()).strip("._@+-")[:100].rstrip("._@+-")
        base = base if _NAME.fullmatch(base) else "user"
        name, number = base, 1
        while name == console.NAME or await self._users.find_named(name) is not None:
            number += 1
            name = f"{base}-{number}"
        return name

    async def _save(self, user: User) -> User:
        saved = replace(user, version=user.version + 1)
        await self._users.save(saved)
        return saved

    async def _end_all(self, user: UserId) -> None:
        for session in await self.list_sessions(user):
            await self._sessions.end(session.id, user)

    async def _has_administrator(self) -> bool:
        return any(u.administrator and not u.disabled for u in await self._users.list())

    async def _keep_an_administrator(self, leaving: User) -> None:
        able = [u.id for u in await self._users.list() if u.administrator and not u.disabled]
        if able == [leaving.id]:
            raise Conflict(
                f"{leaving.name!r} is the last administrator. Make somebody else one first."
            )

    async def _expiry(self, opener: Principal) -> int:
        sessions = await self.list_sessions(opener.user.id)
        return next((s.expires for s in sessions if s.id == opener.session), self._now())

    def _check_lifetime(self, lifetime: int | None) -> int:
        if lifetime is None:
            return self._lifetime
        if not 0 < lifetime <= LONGEST_LIFETIME:
            raise Malformed(
                f"A token lives between 1 and {LONGEST_LIFETIME} seconds, not {lifetime}.",
                path=("lifetime",),
                value=lifetime,
            )
        return lifetime

    def _forget_recognised(self) -> None:
        self._epoch += 1
        self._fresh.clear()

    def _now(self) -> int:
        return int(self._clock.now())


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name == console.NAME:
        raise Malformed(
            "A user's name has 2 to 128 characters: lower-case letters, digits and . _ @ + -, a "
            "letter or digit at both ends, as ada or ada@example.org. It does not begin like an "
            f"id (usr_), and is not {console.NAME!r}.",
            code="string_pattern_mismatch",
            path=("name",),
            value=name[:_LABEL],
        )


def _check_scopes(scopes: frozenset[str], allowed: frozenset[str]) -> None:
    if wider := sorted(scopes - allowed):
        raise Malformed(
            f"Your own token lacks {', '.join(wider)}, so no token made with it can have that.",
            path=("scopes",),
            value=wider,
        )


def _tidy(label: str) -> str:
    """One line that can be shown: a stranger may have written it."""
    shown = "".join(c if c.isprintable() else " " for c in label)
    return " ".join(shown.split())[:_LABEL] or "unnamed"
