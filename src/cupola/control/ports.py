"""What the management API needs from outside: who asks, what can be deployed, and its memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cupola.catalog.model import Model
from cupola.control.model import Reply
from cupola.identity.model import Principal, User, Vouched
from cupola.ids import UserId


class Authenticator(Protocol):
    """Who somebody is, by their token.

    - `authenticate` raises `Unauthenticated` for a token that is nobody's, has ended, or belongs to
      a disabled user.
    - `source` is the caller's address; the console's token counts from this machine only.
    """

    async def authenticate(self, token: str, source: str) -> Principal: ...


class Users(Protocol):
    """The people who may sign in (`identity.service.Identity`).

    - `get_user` raises `NotFound`, `find_named` returns None.
    - `create_user` raises `Malformed` for names and passwords that cannot be used, and `Conflict`
      for a name that is taken. `password` None: cannot sign in with one.
    - `sign_in_vouched` returns the user whom a provider vouches for, made if there is none yet.
    - `disable` and `set_administrator` raise `Conflict` for the last administrator.
    """

    async def list_users(self) -> Sequence[User]: ...

    async def get_user(self, user: UserId) -> User: ...

    async def find_named(self, name: str) -> User | None: ...

    async def create_user(
        self, name: str, password: str | None, *, administrator: bool = False
    ) -> User: ...

    async def sign_in_vouched(self, vouched: Vouched) -> User: ...

    async def set_password(self, user: UserId, password: str) -> User: ...

    async def disable(self, user: UserId, disabled: bool = True) -> User: ...

    async def set_administrator(self, user: UserId, administrator: bool) -> User: ...


class Models(Protocol):
    """What can be deployed (`catalog.service.Catalog`).

    - `list_models` is sorted by name; `get_model` raises `NotFound`, with the names there are.
    - `add_local` and `add_repository` raise `Invalid` for what is no model or no name, `Conflict`
      for a name that is taken.
    - `remove` takes away what was added, and raises `NotFound` or `Invalid` for anything else.
    """

    def list_models(self) -> Sequence[Model]: ...

    def get_model(self, name: str) -> Model: ...

    async def add_local(self, path: Path, name: str) -> Model: ...

    async def add_repository(self, repository: str, name: str) -> Model: ...

    def remove(self, name: str) -> object: ...


class ReplyStore(Protocol):
    """Keeps what requests were answered.

    - `find` returns None for a key that was not added, or was swept.
    - `add` of a key that is there raises `Conflict`.
    - `sweep` forgets what was created before `before`.
    """

    async def find(self, key: str) -> Reply | None: ...

    async def add(self, reply: Reply) -> None: ...

    async def sweep(self, before: int) -> None: ...
