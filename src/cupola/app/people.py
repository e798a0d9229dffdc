"""Who people are, while one server runs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cupola.app.state import State
from cupola.identity.console import write_console_token
from cupola.identity.passwords import Passwords
from cupola.identity.service import Identity
from cupola.kit.clock import Clock
from cupola.kit.errors import Unavailable
from cupola.kit.tasks import cancel, supervise
from cupola.projects.model import Role
from cupola.settings import Settings

if TYPE_CHECKING:
    from cupola.identity.mapping import OidcConfig

_HOUR = 3600


@asynccontextmanager
async def open_identity(settings: Settings, state: State, clock: Clock) -> AsyncIterator[Identity]:
    """The people of the installation; what the console presents is made anew."""
    passwords = Passwords()
    identity = Identity(
        state.stores.users,
        state.stores.sessions,
        state.database,
        clock,
        state.keys.derive_secret("sessions"),
        passwords=passwords,
        lifetime=int(settings.session_hours * _HOUR),
        console_token=write_console_token(state.home.console_token),
    )
    task = supervise(_sweep(identity), name="forget ended sessions")
    try:
        yield identity
    finally:
        await cancel(task)
        state.home.console_token.unlink(missing_ok=True)
        passwords.close()


def read_provider(file: Path, tables: Mapping[str, Any]) -> "OidcConfig | None":
    """Who signs people in, if the file says so.

    Raises:
        BadIdentity: It cannot be used as it is written.
    """
    if set(tables) <= {"tokens"}:
        return None
    from cupola.identity.mapping import read_identity  # noqa: PLC0415  brings pydantic, 50 ms

    return read_identity(file, tables, [role.value for role in Role])


async def _sweep(identity: Identity) -> None:
    while True:
        await asyncio.sleep(_HOUR)
        with suppress(Unavailable):  # the database is away: in an hour, then
            await identity.sweep()
