"""What all ways to sign in share: opening a session, and telling the audit log of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from fastapi import Request

from cupola.control.authority import address_of
from cupola.control.cookies import Cookies
from cupola.control.services import Services
from cupola.identity.device import DeviceSignIns
from cupola.identity.model import Principal, Session, User, Vouched
from cupola.identity.ports import Provider
from cupola.identity.service import Identity
from cupola.identity.tries import Tries

OnSignIn: TypeAlias = Callable[[User, frozenset[str]], Awaitable[None]]
"""Told whom a provider vouches for, and their groups there, before they get a session."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes and pages of signing in stand on.

    Args:
        tries: Counts the codes of command lines that somebody guesses.
    """

    identity: Identity
    device: DeviceSignIns
    cookies: Cookies
    tries: Tries
    oidc: Provider | None = None
    on_sign_in: OnSignIn | None = None

    async def open(self, request: Request, user: User, label: str) -> tuple[Session, str]:
        """A session and its token, with a line in the audit log."""
        services = _find(request)
        async with services.work.transaction():
            session, token = await self.identity.open_session(user, label)
            told = {"user": user.id, "label": session.label}
            await services.audit.record(
                _by(request, user), "sessions.open", session.id, None, None, told
            )
        return session, token

    async def open_vouched(self, request: Request, vouched: Vouched) -> tuple[Session, str]:
        """The same for whom a provider vouches for, with what their groups give them."""
        async with _find(request).work.transaction():
            user = await self.identity.sign_in_vouched(vouched)
            if self.on_sign_in is not None:
                await self.on_sign_in(user, vouched.groups)
            return await self.open(request, user, "browser")

    async def end(self, request: Request, principal: Principal, session: str) -> None:
        """A session's end, with a line in the audit log."""
        services = _find(request)
        async with services.work.transaction():
            await self.identity.end_session(principal.user.id, session)
            told = {"user": principal.user.id}
            await services.audit.record(principal, "sessions.end", session, None, told, None)

    async def claim(self, request: Request, code: str, name: str, password: str) -> User:
        """The first administrator, with a line in the audit log."""
        user = await self.identity.claim_first(code, name, password, address_of(request))
        told = {"id": user.id, "name": user.name, "administrator": True}
        await _find(request).audit.record(
            _by(request, user), "users.claim-first", user.name, None, None, told
        )
        return user

    async def note_device(self, request: Request, by: Principal, label: str, let_in: bool) -> None:
        """That somebody let a command line in, or refused it."""
        told = {"label": label, "let_in": let_in}
        await _find(request).audit.record(by, "sessions.confirm", by.user.id, None, None, told)


def _find(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _by(request: Request, user: User) -> Principal:
    return Principal(user, address_of(request))
