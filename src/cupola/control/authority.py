"""Who asks, and whether they may: what every route takes as a parameter before anything else.

A token comes as `Authorization: Bearer TOKEN`, or as the cookie `cupola_session` of a browser that
signed in. A browser sends its cookie whoever made it ask, so a change needs the header
`X-Cupola-Request: 1` as well, which other sites' pages cannot send.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Path, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from cupola.control.services import Parts
from cupola.identity.model import Principal
from cupola.kit.errors import Forbidden, Unauthenticated
from cupola.projects.model import Right
from cupola.projects.service import ReachableProject, require_administrator

COOKIE: Final = "cupola_session"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PROOF: Final = "x-cupola-request"

_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The token of a session, from `POST /sign-in`.",
)
_COOKIE = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="cookie",
    description="A browser's session. Changes need the header `X-Cupola-Request: 1` too.",
)


async def find_caller(
    request: Request,
    services: Parts,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    cookie: Annotated[str | None, Security(_COOKIE)],
) -> Principal:
    """Whoever asks. Raises: Unauthenticated, Forbidden."""
    if bearer is not None:
        token = bearer.credentials
    elif cookie:
        token = cookie
        if request.method not in SAFE and request.headers.get(_PROOF) != "1":
            raise Forbidden(
                "A change that a browser's session asks for needs the header X-Cupola-Request: 1."
            )
    else:
        raise Unauthenticated(
            "Sign in first: send a session's token as 'Authorization: Bearer TOKEN'."
        )
    return await services.authenticator.authenticate(token, address_of(request))


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else ""


Caller = Annotated[Principal, Depends(find_caller)]
"""Somebody who has signed in."""


def find_administrator(caller: Caller) -> Principal:
    """A platform administrator. Raises: Forbidden."""
    require_administrator(caller)
    return caller


Administrator = Annotated[Principal, Depends(find_administrator)]

ProjectName = Annotated[str, Path(description="A project's name.", examples=["default"])]

Reaching = Callable[..., Awaitable[ReachableProject]]
NEEDS: dict[Callable[..., object], Right | None] = {
    find_caller: None,
    find_administrator: Right.ADMINISTER,
}
"""The right that each of these parameters asks for; None: being somebody is enough."""


def _reach(right: Right) -> Reaching:
    async def reach(project: ProjectName, caller: Caller, services: Parts) -> ReachableProject:
        return await services.projects.reach(caller, project, right)

    NEEDS[reach] = right
    return reach


Readable = Annotated[ReachableProject, Depends(_reach(Right.READ))]
Callable_ = Annotated[ReachableProject, Depends(_reach(Right.CALL))]
Deployable = Annotated[ReachableProject, Depends(_reach(Right.DEPLOY))]
Governable = Annotated[ReachableProject, Depends(_reach(Right.GOVERN))]
"""The path's project, if the caller has the right in it. Raises: NotFound, Forbidden."""
