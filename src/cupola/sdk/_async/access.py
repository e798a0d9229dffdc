"""Signing in, one's own sessions, and users."""

from asyncio import sleep
from collections.abc import AsyncIterator, Sequence

from cupola.sdk._async.transport import AsyncTransport
from cupola.sdk._errors import OperationFailed, Refused
from cupola.sdk._request import Request, join, write
from cupola.sdk._results import DeviceCode, Session, SignedIn, User

_SLOWER = 5.0
"""Seconds that `slow_down` adds to the pause between questions (RFC 8628, section 3.5)."""


class AsyncSignIn:
    """Ways to a token; none of them needs one."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def password(self, name: str, password: str, label: str = "cupola.sdk") -> SignedIn:
        """With a local account; `label` says in the list of sessions where it is used."""
        body = write(name=name, password=password, label=label)
        return await self._sign_in("/sign-in", body)

    async def first(
        self, code: str, name: str, password: str, label: str = "cupola.sdk"
    ) -> SignedIn:
        """Become the first administrator, with the code that the server printed."""
        body = write(code=code, name=name, password=password, label=label)
        return await self._sign_in("/sign-in/first", body)

    async def start_device(self, label: str = "cupola.sdk") -> DeviceCode:
        """Ask for a code that a person confirms in a browser; then `wait_device`."""
        body = write(label=label)
        reply = await self._transport.send(Request("POST", "/sign-in/device", body=body))
        return reply.into(DeviceCode)

    async def wait_device(self, code: DeviceCode) -> SignedIn:
        """Wait until the code was confirmed.

        Raises:
            OperationFailed: It was not, in the time that it lives.
            Refused: Somebody declined.
        """
        pause, waited = code.interval, 0.0
        while waited < code.expires_in:
            await sleep(pause)
            waited += pause
            try:
                body = write(device_code=code.device_code)
                return await self._sign_in("/sign-in/device/token", body)
            except Refused as refusal:
                if refusal.code == "slow_down":
                    pause += _SLOWER
                elif refusal.code != "authorization_pending":
                    raise
        raise OperationFailed("Nobody confirmed the code in time. Begin again.")

    async def sign_out(self) -> None:
        """End the session of the client's own token."""
        await self._transport.send(Request("POST", "/sign-out"))

    async def _sign_in(self, path: str, body: bytes) -> SignedIn:
        reply = await self._transport.send(Request("POST", path, body=body, once=True))
        return reply.into(SignedIn)


class AsyncSessions:
    """One's own sign-ins and tokens."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self) -> AsyncIterator[Session]:
        """Newest first."""
        return self._transport.list("/sessions", Session)

    async def create(
        self, label: str, *, scopes: Sequence[str] | None = None, lifetime: int | None = None
    ) -> SignedIn:
        """A token for a program.

        Args:
            scopes: Rights beyond which it cannot go, as `read` and `call`; None: one's own.
            lifetime: Seconds; None: the server's own choice.
        """
        body = write(label=label, scopes=scopes and [*scopes], lifetime=lifetime)
        reply = await self._transport.send(Request("POST", "/sessions", body=body, once=True))
        return reply.into(SignedIn)

    async def delete(self, id: str) -> None:
        """End one; its token is nobody's at once."""
        await self._transport.send(Request("DELETE", join("sessions", id)))


class AsyncUsers:
    """People who may sign in; for administrators."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self) -> AsyncIterator[User]:
        """Everyone, by name."""
        return self._transport.list("/users", User)

    async def get(self, user: str) -> User:
        """By id or name."""
        return (await self._transport.send(Request("GET", join("users", user)))).into(User)

    async def create(
        self, name: str, *, password: str | None = None, administrator: bool = False
    ) -> User:
        """Without a password nobody can sign in as them until they have one."""
        body = write(name=name, password=password, administrator=administrator)
        return (await self._transport.send(Request("POST", "/users", body=body))).into(User)

    async def update(
        self,
        user: str,
        *,
        password: str | None = None,
        administrator: bool | None = None,
        disabled: bool | None = None,
        if_version: int | None = None,
    ) -> User:
        """Change what is given; a disabled user and all their tokens are nobody at once."""
        body = write(password=password, administrator=administrator, disabled=disabled)
        request = Request("PATCH", join("users", user), body=body, if_version=if_version)
        return (await self._transport.send(request)).into(User)

    async def delete(self, user: str) -> None:
        """Disable them. Users are never forgotten, because the audit log names them."""
        await self._transport.send(Request("DELETE", join("users", user)))
