"""Users and sessions that live as long as the object: the fakes that ship."""

from collections.abc import Sequence

from cupola.identity.model import Session, User
from cupola.ids import UserId
from cupola.kit.errors import Conflict, Stale


class MemoryUsers:
    """A `UserStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._users: dict[UserId, User] = {}

    async def add(self, user: User) -> None:
        self._refuse_taken(user)
        self._users[user.id] = user

    async def save(self, user: User) -> None:
        known = self._users.get(user.id)
        if known is None or known.version != user.version - 1:
            raise Stale(f"The user {user.name!r} was changed meanwhile. Read them again.")
        self._refuse_taken(user)
        self._users[user.id] = user

    async def find(self, user: UserId) -> User | None:
        return self._users.get(user)

    async def find_named(self, name: str) -> User | None:
        return next((user for user in self._users.values() if user.name == name), None)

    async def find_subject(self, issuer: str, subject: str) -> User | None:
        asked = (issuer, subject)
        return next((u for u in self._users.values() if (u.issuer, u.subject) == asked), None)

    async def list(self) -> Sequence[User]:
        return sorted(self._users.values(), key=lambda user: user.name)

    def _refuse_taken(self, user: User) -> None:
        for other in self._users.values():
            if other.id == user.id:
                continue
            same = user.issuer is not None and other.issuer == user.issuer
            if other.name == user.name or (same and other.subject == user.subject):
                raise Conflict(f"There is a user {user.name!r} already.")


class MemorySessions:
    """A `SessionStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    async def add(self, session: Session) -> None:
        self._sessions[session.id] = session

    async def find(self, digest: bytes, now: int) -> Session | None:
        good = (one for one in self._sessions.values() if one.expires > now)
        return next((one for one in good if one.digest == digest), None)

    async def end(self, session: str, user: UserId) -> None:
        known = self._sessions.get(session)
        if known is not None and known.user == user:
            del self._sessions[session]

    async def list(self, user: UserId, now: int) -> Sequence[Session]:
        found = [s for s in self._sessions.values() if s.user == user and s.expires > now]
        return sorted(found, key=lambda one: (one.created, one.id), reverse=True)

    async def sweep(self, now: int) -> None:
        self._sessions = {id: one for id, one in self._sessions.items() if one.expires > now}
