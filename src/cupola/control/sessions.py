"""`/sessions`: one's own sign-ins, and tokens made for programs."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Path, Response, status
from pydantic import Field

from cupola.control.authority import Caller
from cupola.control.paging import AnyPage, Page
from cupola.control.services import Parts
from cupola.control.shapes import Asked, Line, Time, Told, when
from cupola.identity.model import Principal, Session, User
from cupola.ids import UserId
from cupola.projects.model import Right

SessionId = Annotated[
    str, Path(description="A session's id.", examples=["ses_0a1b2c"], max_length=100)
]


class Sessions(Protocol):
    """Where sessions are opened and ended (`identity.service.Identity`).

    - `open_session` raises `Invalid` for scopes that the opener lacks, and for the console.
    - `list_sessions` is newest first; `end_session` of one that is not there does nothing.
    """

    async def open_session(
        self,
        user: User,
        label: str,
        *,
        scopes: frozenset[str] | None = None,
        lifetime: int | None = None,
        opener: Principal | None = None,
    ) -> tuple[Session, str]: ...

    async def end_session(self, user: UserId, session: str) -> None: ...

    async def list_sessions(self, user: UserId) -> Sequence[Session]: ...


class SessionResource(Told):
    """A sign-in, or a token for a program."""

    id: str
    label: str
    created: Time
    expires: Time
    scopes: list[str] | None = Field(
        description="Rights beyond which it cannot go; null: its user's."
    )


class OpenedSession(Told):
    """A token, shown this once."""

    token: str
    expires: Time
    session: SessionResource


class NewSession(Asked):
    """A token, no wider than the one that asks for it."""

    label: Line = Field(examples=["nightly batch"])
    scopes: list[Annotated[Right, Field(strict=False)]] | None = Field(
        default=None, description="Null: as wide as the one that asks."
    )
    lifetime: int | None = Field(default=None, description="Seconds; null: of any sign-in.")


def make_sessions_router(sessions: Sessions) -> APIRouter:
    """Its routes, for `make_control`."""
    router = APIRouter(tags=["sessions"])

    @router.get("/sessions", summary="List your sessions")
    async def list_sessions(caller: Caller, page: AnyPage) -> Page[SessionResource]:
        found = await sessions.list_sessions(caller.user.id)

        async def read(after: str, limit: int) -> list[Session]:
            ids = [each.id for each in found]
            begin = ids.index(after) + 1 if after in ids else 0
            return [*found[begin : begin + limit]]

        return await page.fetch(read, lambda session: session.id, _show)

    @router.post("/sessions", status_code=status.HTTP_201_CREATED, summary="Make a token")
    async def open_session(
        caller: Caller, body: NewSession, services: Parts, response: Response
    ) -> OpenedSession:
        scopes = None if body.scopes is None else frozenset(each.value for each in body.scopes)
        async with services.audit.change(caller, "sessions.create", caller.user.name) as change:
            session, token = await sessions.open_session(
                caller.user, body.label, scopes=scopes, lifetime=body.lifetime, opener=caller
            )
            shown = _show(session)
            change.after = {"label": session.label, "scopes": shown.scopes}
        response.headers["cache-control"] = "no-store"
        return OpenedSession(token=token, expires=when(session.expires), session=shown)

    @router.delete(
        "/sessions/{session}", status_code=status.HTTP_204_NO_CONTENT, summary="End a session"
    )
    async def end_session(caller: Caller, session: SessionId) -> None:
        """Its token is nobody's at once. Of one that is not yours nothing is done."""
        await sessions.end_session(caller.user.id, session)

    return router


def _show(session: Session) -> SessionResource:
    return SessionResource(
        id=session.id,
        label=session.label,
        created=when(session.created),
        expires=when(session.expires),
        scopes=None if session.scopes is None else sorted(session.scopes),
    )
