"""Who people are, while one server runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from cupola.app.state import State
from cupola.identity.console import write_console_token
from cupola.identity.passwords import Passwords
from cupola.identity.service import Identity
from cupola.kit.clock import Clock
from cupola.settings import Settings

_HOUR = 3600


@contextmanager
def open_identity(settings: Settings, state: State, clock: Clock) -> Iterator[Identity]:
    """The people of the installation; what the console presents is made anew."""
    passwords = Passwords()
    token = write_console_token(state.home.console_token)
    try:
        yield Identity(
            state.stores.users,
            state.stores.sessions,
            state.database,
            clock,
            state.keys.derive_secret("sessions"),
            passwords=passwords,
            lifetime=int(settings.session_hours * _HOUR),
            console_token=token,
        )
    finally:
        state.home.console_token.unlink(missing_ok=True)
        passwords.close()
