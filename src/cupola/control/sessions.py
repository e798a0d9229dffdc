"""`/sessions`: one's own sign-ins and tokens."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, status
from pydantic import Field

from cupola.control.authority import Caller
from cupola.control.doors import Doors
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.repetition import RepeatableRoute, show_once
from cupola.control.services import Parts
from cupola.control.shapes import Asked, Line, Time, Told, when
from cupola.identity.model import Session
from cupola.kit.errors import NotFound
from cupola.projects.model import Right

SessionId = Annotated[str, Path(description="A session's id.", examples=["ses_0a1b2c"])]


class SessionResource(Told):
    """A sign-in, or a token made with one."""

    id: str
    label: str
    created: Time
    expires: Time
    scopes: list[str] | None = Field(description="Null: all that its user may do.")


class MadeSession(Told):
    """A new session and its token, shown this once."""

    token: str | None = Field(description="Null where the request is a repeated one.")
    expires: Time
    session: SessionResource


class NewSession(Asked):
    """A token for a program; narrower than the caller's, or as wide."""

    label: Annotated[Line, Field(min_length=1)] = Field(examples=["nightly evaluation"])
    scopes: list[Annotated[Right, Field(strict=False)]] | None = Field(
        default=None, description="Null: all that the caller's token may do."
    )
    lifetime: int | None = Field(
        default=None, description="Seconds, at most a year; null: as any sign-in."
    )


def make_sessions_router(doors: Doors) -> APIRouter:
    """The routes over one's own sessions."""
    router = APIRouter(tags=["sessions"], route_class=RepeatableRoute)

    @router.get("/sessions", summary="List your sessions")
    async def list_sessions(caller: Caller, page: AnyPage) -> Page[SessionResource]:
        found = sorted(
            await doors.identity.list_sessions(caller.user.id), key=lambda session: session.id
        )

        async def read(after: str, limit: int) -> list[Session]:
            return [*slice_after(found, lambda session: session.id, after, limit)]

        return await page.fetch(read, lambda session: session.id, show_session)

    @router.post(
        "/sessions", status_code=status.HTTP_201_CREATED, summary="Make a token for a program"
    )
    async def create_session(
        body: NewSession, caller: Caller, services: Parts, request: Request
    ) -> MadeSession:
        """The token is in this reply and nowhere else."""
        show_once(request, "token")
        scopes = None if body.scopes is None else frozenset(each.value for each in body.scopes)
        async with services.work.transaction():
            session, token = await doors.identity.open_session(
                caller.user, body.label, scopes=scopes, lifetime=body.lifetime, opener=caller
            )
            told = show_session(session).model_dump(mode="json")
            await services.audit.record(caller, "sessions.open", session.id, None, None, told)
        return show_made(session, token)

    @router.delete(
        "/sessions/{session}", status_code=status.HTTP_204_NO_CONTENT, summary="Revoke a session"
    )
    async def delete_session(session: SessionId, caller: Caller, request: Request) -> None:
        """Its token is nobody's within a second."""
        own = await doors.identity.list_sessions(caller.user.id)
        if not any(each.id == session for each in own):
            raise NotFound("You have no such session, or it has ended. See your list of them.")
        await doors.end(request, caller, session)

    return router


def show_session(session: Session) -> SessionResource:
    """A session as replies tell of it."""
    return SessionResource(
        id=session.id,
        label=session.label,
        created=when(session.created),
        expires=when(session.expires),
        scopes=None if session.scopes is None else sorted(session.scopes),
    )


def show_made(session: Session, token: str) -> MadeSession:
    """The same with its token."""
    return MadeSession(token=token, expires=when(session.expires), session=show_session(session))
