"""Replies, people and models that live as long as the object: the fakes that ship."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cupola.catalog.model import Model
from cupola.control.model import Reply
from cupola.identity.model import Origin, Principal, User, Vouched
from cupola.ids import ModelName, UserId, new_id
from cupola.kit.errors import Conflict, Invalid, NotFound, Unauthenticated


class MemoryPeople:
    """`Authenticator` and `Users` without passwords: a token is whatever was agreed on."""

    def __init__(self) -> None:
        self._users: dict[UserId, User] = {}
        self._tokens: dict[str, Principal] = {}

    def add(self, user: User) -> User:
        """Somebody, made elsewhere."""
        self._users[user.id] = user
        return user

    def let_in(self, token: str, user: User, scopes: frozenset[str] | None = None) -> None:
        """From now on `token` is `user`'s."""
        self._tokens[token] = Principal(user, "", new_id("ses"), scopes)

    async def authenticate(self, token: str, source: str) -> Principal:
        principal = self._tokens.get(token)
        user = self._users.get(principal.user.id) if principal else None
        if principal is None or user is None or user.disabled:
            raise Unauthenticated("This token is nobody's. Sign in again.")
        return replace(principal, user=user, source=source)

    async def list_users(self) -> Sequence[User]:
        return sorted(self._users.values(), key=lambda user: user.name)

    async def get_user(self, user: UserId) -> User:
        found = self._users.get(user)
        if found is None:
            raise NotFound(f"There is no user {user!r}.")
        return found

    async def find_named(self, name: str) -> User | None:
        return next((user for user in self._users.values() if user.name == name), None)

    async def create_user(
        self, name: str, password: str | None, *, administrator: bool = False
    ) -> User:
        if await self.find_named(name) is not None:
            raise Conflict(f"There is a user {name!r} already.")
        made = User(UserId(new_id("usr")), name, Origin.LOCAL, 0, administrator=administrator)
        return self.add(made)

    async def sign_in_vouched(self, vouched: Vouched) -> User:
        for user in self._users.values():
            if (user.issuer, user.subject) == (vouched.issuer, vouched.subject):
                return user
        made = User(
            UserId(new_id("usr")),
            vouched.name,
            Origin.OIDC,
            0,
            administrator=bool(vouched.administrator),
            issuer=vouched.issuer,
            subject=vouched.subject,
        )
        return self.add(made)

    async def set_password(self, user: UserId, password: str) -> User:
        return self._save(replace(await self.get_user(user), password_hash=str(len(password))))

    async def disable(self, user: UserId, disabled: bool = True) -> User:
        return self._save(replace(await self.get_user(user), disabled=disabled))

    async def set_administrator(self, user: UserId, administrator: bool) -> User:
        return self._save(replace(await self.get_user(user), administrator=administrator))

    def _save(self, user: User) -> User:
        return self.add(replace(user, version=user.version + 1))


class MemoryModels:
    """`Models` given when it is made; what is added is like the first of them."""

    def __init__(self, *models: Model) -> None:
        self._models = {model.name: model for model in models}
        self._own: set[ModelName] = set()

    def list_models(self) -> Sequence[Model]:
        return [self._models[name] for name in sorted(self._models)]

    def get_model(self, name: str) -> Model:
        found = self._models.get(ModelName(name))
        if found is None:
            raise NotFound(f"The catalog has no model {name!r}.")
        return found

    async def add_local(self, path: Path, name: str) -> Model:
        return self._add(name)

    async def add_repository(self, repository: str, name: str) -> Model:
        return self._add(name)

    def remove(self, name: str) -> Model:
        found = self.get_model(name)
        if found.name not in self._own:
            raise Invalid(f"{name} came with Cupola, and cannot be removed.")
        return self._models.pop(found.name)

    def _add(self, name: str) -> Model:
        if ModelName(name) in self._models:
            raise Conflict(f"There is a model {name!r} already.")
        made = replace(next(iter(self._models.values())), name=ModelName(name))
        self._models[made.name] = made
        self._own.add(made.name)
        return made


class MemoryReplies:
    """A `ReplyStore` without a database."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}

    async def find(self, key: str) -> Reply | None:
        return self._replies.get(key)

    async def add(self, reply: Reply) -> None:
        if reply.key in self._replies:
            raise Conflict("A request with this Idempotency-Key is being answered. Try again.")
        self._replies[reply.key] = reply

    async def sweep(self, before: int) -> None:
        self._replies = {k: v for k, v in self._replies.items() if v.created >= before}
