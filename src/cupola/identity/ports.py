"""What identity needs from outside: places that keep users and sessions,
and a provider that vouches for users."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cupola.identity.model import Arrival, Departure, Session, User, Vouched
from cupola.ids import UserId


class UserStore(Protocol):
    """Keeps users.

    - `add` raises `Conflict` if the name, or issuer and subject together, are taken.
    - `save` replaces the user whose version is one less, else raises `Stale`.
    - Finders return None for whom they do not find.
    - `list` is sorted by name.
    """

    async def add(self, user: User) -> None: ...

    async def save(self, user: User) -> None: ...

    async def find(self, user: UserId) -> User | None: ...

    async def find_named(self, name: str) -> User | None: ...

    async def find_subject(self, issuer: str, subject: str) -> User | None: ...

    async def list(self) -> Sequence[User]: ...


class SessionStore(Protocol):
    """Keeps sessions.

    - `find` returns None for a digest that was not added, was ended, or has expired at `now`.
    - `end` of one that is not there does nothing.
    - `list` is sorted by creation, newest first, and leaves out what has expired at `now`.
    - `sweep` forgets what had expired at `now`.
    """

    async def add(self, session: Session) -> None: ...

    async def find(self, digest: bytes, now: int) -> Session | None: ...

    async def end(self, session: str, user: UserId) -> None: ...

    async def list(self, user: UserId, now: int) -> Sequence[Session]: ...

    async def sweep(self, now: int) -> None: ...


class UnitOfWork(Protocol):
    """Where changes are made together or not at all, one after the other.

    - What stores do inside `transaction` is there when the block has ended well, and none of it
      is if it did not; what is read in it stays true until then.
    - A transaction inside another is a part of that one.
    """

    def transaction(self) -> AbstractAsyncContextManager[object]: ...


class Provider(Protocol):
    """Vouches for users: sends a browser away, and reads what it comes back with.

    - `name` is what the button says: "Sign in with NAME".
    - `depart` gives each browser other secrets; it raises `Unavailable` if the provider is silent.
    - `arrive` returns what the provider vouches for, after verifying all of it, or raises
      `Unauthenticated` with a public sentence that tells no secret.
    """

    @property
    def name(self) -> str: ...

    async def depart(self, redirect_uri: str) -> Departure: ...

    async def arrive(self, departure: Departure, arrival: Arrival) -> Vouched: ...
