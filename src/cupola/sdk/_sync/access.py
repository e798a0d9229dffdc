# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.
"""Signing in, one's own sessions, and users."""

from collections.abc import Iterator, Sequence
from time import sleep

from cupola.sdk._errors import OperationFailed, Refused
from cupola.sdk._request import Request, join, write
from cupola.sdk._results import DeviceCode, Session, SignedIn, User
from cupola.sdk._sync.transport import Transport

_SLOWER = 5.0
"""Seconds that `slow_down` adds to the pause between questions (RFC 8628, section 3.5)."""


class SignIn:
    """Ways to a token; none of them needs one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def password(self, name: str, password: str, label: str = "cupola.sdk") -> SignedIn:
        """With a local account; `label` says in the list of sessions where it is used."""
        body = write(name=name, password=password, label=label)
        return self._sign_in("/sign-in", body)

    def first(self, code: str, name: str, password: str, label: str = "cupola.sdk") -> SignedIn:
        """Become the first administrator, with the code that the server printed."""
        body = write(code=code, name=name, password=password, label=label)
        return self._sign_in("/sign-in/first", body)

    def start_device(self, label: str = "cupola.sdk") -> DeviceCode:
        """Ask for a code that a person confirms in a browser; then `wait_device`."""
        body = write(label=label)
        reply = self._transport.send(Request("POST", "/sign-in/device", body=body))
        return reply.into(DeviceCode)

    def wait_device(self, code: DeviceCode) -> SignedIn:
        """Wait until the code was confirmed.

        Raises:
            OperationFailed: It was not, in the time that it lives.
            Refused: Somebody declined.
        """
        pause, waited = code.interval, 0.0
        while waited < code.expires_in:
            sleep(pause)
            waited += pause
            try:
                body = write(device_code=code.device_code)
                return self._sign_in("/sign-in/device/token", body)
            except Refused as refusal:
                if refusal.code == "slow_down":
                    pause += _SLOWER
                elif refusal.code != "authorization_pending":
                    raise
        raise OperationFailed("Nobody confirmed the code in time. Begin again.")

    def sign_out(self) -> None:
        """End the session of the client's own token."""
        self._transport.send(Request("POST", "/sign-out"))

    def _sign_in(self, path: str, body: bytes) -> SignedIn:
        reply = self._transport.send(Request("POST", path, body=body, once=True))
        return reply.into(SignedIn)


class Sessions:
    """One's own sign-ins and tokens."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Session]:
        """Newest first."""
        return self._transport.list("/sessions", Session)

    def create(
        self, label: str, *, scopes: Sequence[str] | None = None, lifetime: int | None = None
    ) -> SignedIn:
        """A token for a program.

        Args:
            scopes: Rights beyond which it cannot go, as `read` and `call`; None: one's own.
            lifetime: Seconds; None: the server's own choice.
        """
        body = write(label=label, scopes=scopes and [*scopes], lifetime=lifetime)
        reply = self._transport.send(Request("POST", "/sessions", body=body, once=True))
        return reply.into(SignedIn)

    def delete(self, id: str) -> None:
        """End one; its token is nobody's at once."""
        self._transport.send(Request("DELETE", join("sessions", id)))


class Users:
    """People who may sign in; for administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[User]:
        """Everyone, by name."""
        return self._transport.list("/users", User)

    def get(self, user: str) -> User:
        """By id or name."""
        return (self._transport.send(Request("GET", join("users", user)))).into(User)

    def create(
        self, name: str, *, password: str | None = None, administrator: bool = False
    ) -> User:
        """Without a password nobody can sign in as them until they have one."""
        body = write(name=name, password=password, administrator=administrator)
        return (self._transport.send(Request("POST", "/users", body=body))).into(User)

    def update(
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
        return (self._transport.send(request)).into(User)

    def delete(self, user: str) -> None:
        """Disable them. Users are never forgotten, because the audit log names them."""
        self._transport.send(Request("DELETE", join("users", user)))
