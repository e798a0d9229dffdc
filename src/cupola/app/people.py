"""Who people are, and what a provider's groups make of them."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from cupola.app.state import State
from cupola.identity.console import write_console_token
from cupola.identity.mapping import OidcConfig
from cupola.identity.model import Principal, User
from cupola.identity.passwords import Passwords
from cupola.identity.service import Identity
from cupola.kit.clock import Clock
from cupola.projects.model import Role
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
            clock,
            state.keys.derive_secret("sessions"),
            passwords=passwords,
            lifetime=int(settings.session_hours * _HOUR),
            console_token=token,
        )
    finally:
        state.home.console_token.unlink(missing_ok=True)
        passwords.close()


def follow_groups(
    state: State, config: OidcConfig
) -> Callable[[User, frozenset[str]], Awaitable[None]]:
    """What is done when the provider has said in which groups somebody is."""
    mapped = frozenset(one.project for one in config.mapping)

    async def follow(user: User, groups: frozenset[str]) -> None:
        roles = [(project, Role(role)) for project, role in config.roles_of(groups)]
        await state.projects.follow(user, mapped, roles)

    return follow


def record_sign_in(state: State) -> Callable[[Principal, str], Awaitable[None]]:
    """What puts signing in and out into the audit log."""

    async def record(by: Principal, action: str) -> None:
        async with state.database.transaction():
            await state.audit.record(by, f"identity.{action}", by.user.name, None, None, None)

    return record
