"""Signing in: the routes under `/management/v1/sign-in`, and with them the pages of `/sign-in`.

    POST /management/v1/sign-in                {name, password, label}     a token
    POST /management/v1/sign-in/first          {code, name, password}      the first administrator's
    POST /management/v1/sign-in/device         {label}                     codes for a command line
    POST /management/v1/sign-in/device/token   {device_code}               its token, once confirmed
    GET  /management/v1/sign-in/oidc           (a browser)                 off to the provider
    GET  /management/v1/sign-in/oidc/callback  (a browser)                 and back
    POST /management/v1/sign-out                                           ends the session

Tokens are in bodies, shown once; only the pages and the callback set cookies.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, RedirectResponse

from cupola.control.cookies import SESSION, Cookies, local_path
from cupola.control.sign_in_pages import PageRoute, make_pages_router
from cupola.control.source import source_of
from cupola.identity.device import EXPIRES_IN, INTERVAL, DeviceSignIns, Refusal
from cupola.identity.model import Arrival, Principal, Session, User
from cupola.identity.ports import Provider
from cupola.identity.service import Identity
from cupola.identity.tries import Tries
from cupola.kit.clock import Clock
from cupola.kit.errors import Forbidden, NotFound, Unauthenticated

_log = logging.getLogger(__name__)

OnSignIn: TypeAlias = Callable[[User, frozenset[str]], Awaitable[None]]
"""Told whom a provider vouches for, and their groups there, before they get a session."""
Record: TypeAlias = Callable[[Principal, str], Awaitable[None]]
"""Told who did what: `sign-in`, `sign-out`, `first-administrator`, `device-approve`."""

PREFIX: Final = "/management/v1"
_BROWSER: Final = "browser"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignInBody(_Body):
    """A name and a password, and what the session is to be called in its owner's list."""

    name: str = Field(max_length=256)
    password: str = Field(max_length=1024)
    label: str = Field(default="sign-in", max_length=100)


class FirstBody(_Body):
    """The code of the link that Cupola printed, and who its first administrator is to be."""

    code: str = Field(max_length=256)
    name: str = Field(max_length=256)
    password: str = Field(max_length=1024)
    label: str = Field(default="sign-in", max_length=100)


class DeviceBody(_Body):
    """What the command line calls itself."""

    label: str = Field(default="command line", max_length=100)


class DeviceTokenBody(_Body):
    """The long one of the two codes."""

    device_code: str = Field(max_length=256)


class SessionReply(BaseModel):
    """A session, without its token."""

    id: str
    label: str
    created: str
    expires: str
    scopes: list[str] | None


class TokenReply(BaseModel):
    """A token, shown this once."""

    token: str
    expires: str
    session: SessionReply


class DeviceReply(BaseModel):
    """Two codes: one to poll with, one for a person to type at `verification_uri`."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    interval: int
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the routes stand on."""

    identity: Identity
    device: DeviceSignIns
    cookies: Cookies
    oidc: Provider | None
    on_sign_in: OnSignIn | None
    record: Record | None

    async def note(self, user: User, source: str, action: str) -> None:
        """To the log, and to whoever keeps a record."""
        _log.info("%s: user %s, from %s.", action, user.id, source)
        if self.record is not None:
            await self.record(Principal(user, source), action)


def make_sign_in_router(
    identity: Identity,
    device: DeviceSignIns,
    oidc: Provider | None = None,
    *,
    clock: Clock,
    secret: bytes,
    public_url: str = "",
    on_sign_in: OnSignIn | None = None,
    record: Record | None = None,
) -> APIRouter:
    """All of signing in; its paths are whole, so include it without a prefix.

    The application it is included in turns `CupolaError` and FastAPI's `RequestValidationError`
    into JSON; the pages do so by themselves.

    Args:
        oidc: The provider of `identity.toml`; None: passwords only.
        secret: The installation's.
        public_url: The address people use, if that is not what requests say (behind a proxy).
        on_sign_in: Gives memberships by group; a fault of it refuses the sign-in.
        record: The audit log.
    """
    cookies = Cookies(secret, clock, public_url)
    parts = SignIn(identity, device, cookies, oidc, on_sign_in, record)
    router = APIRouter(tags=["sign-in"])
    _add_password_routes(router, parts)
    _add_device_routes(router, parts)
    router.include_router(_make_oidc_router(parts))
    name = oidc.name if oidc else None
    pages = make_pages_router(
        identity, device, cookies, Tries(clock), provider=name, note=parts.note
    )
    router.include_router(pages)
    return router


def _add_password_routes(router: APIRouter, parts: SignIn) -> None:
    @router.post(f"{PREFIX}/sign-in", summary="Sign in with a password")
    async def sign_in(body: SignInBody, request: Request, response: Response) -> TokenReply:
        source = source_of(request)
        session, token = await parts.identity.sign_in(body.name, body.password, source, body.label)
        await parts.note(await parts.identity.get_user(session.user), source, "sign-in")
        return _reply(response, session, token)

    @router.post(f"{PREFIX}/sign-in/first", summary="Become the first administrator")
    async def claim_first(body: FirstBody, request: Request, response: Response) -> TokenReply:
        source = source_of(request)
        user = await parts.identity.claim_first(body.code, body.name, body.password, source)
        await parts.note(user, source, "first-administrator")
        session, token = await parts.identity.open_session(user, body.label)
        return _reply(response, session, token)

    @router.post(f"{PREFIX}/sign-out", status_code=204, summary="End the session")
    async def sign_out(request: Request, response: Response) -> None:
        principal = await parts.identity.authenticate(_find_token(request), source_of(request))
        if principal.session is not None:
            await parts.identity.end_session(principal.user.id, principal.session)
            await parts.note(principal.user, principal.source, "sign-out")
        parts.cookies.clear_session(response)


def _add_device_routes(router: APIRouter, parts: SignIn) -> None:
    @router.post(f"{PREFIX}/sign-in/device", summary="Ask for a command line's codes")
    async def begin_device(body: DeviceBody, request: Request, response: Response) -> DeviceReply:
        codes = parts.device.begin(body.label, source_of(request))
        page = f"{parts.cookies.base_url(request)}/sign-in/device"
        response.headers["cache-control"] = "no-store"
        return DeviceReply(
            device_code=codes.device_code,
            user_code=codes.user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?code={codes.user_code}",
            interval=INTERVAL,
            expires_in=EXPIRES_IN,
        )

    @router.post(
        f"{PREFIX}/sign-in/device/token",
        summary="Ask whether a person has confirmed",
        response_model=TokenReply,
    )
    async def poll_device(body: DeviceTokenBody, request: Request, response: Response) -> Any:
        waiting = parts.device.poll(body.device_code)
        if isinstance(waiting, Refusal):
            return _refuse_poll(request, waiting)
        user = await parts.identity.get_user(waiting.user.id) if waiting.user else None
        if user is None or user.disabled:  # meanwhile
            return _refuse_poll(request, Refusal.DENIED)
        session, token = await parts.identity.open_session(user, waiting.label)
        return _reply(response, session, token)


def _make_oidc_router(parts: SignIn) -> APIRouter:
    router = APIRouter(route_class=PageRoute, include_in_schema=False)

    @router.get(f"{PREFIX}/sign-in/oidc")
    async def depart(request: Request) -> Response:
        provider = _get_provider(parts)
        callback = f"{parts.cookies.base_url(request)}{PREFIX}/sign-in/oidc/callback"
        departure = await provider.depart(callback)
        response = RedirectResponse(departure.url, 303, {"cache-control": "no-store"})
        after = local_path(request.query_params.get("next"), "/sign-in/done")
        parts.cookies.keep_departure(request, response, departure, after)
        return response

    @router.get(f"{PREFIX}/sign-in/oidc/callback")
    async def arrive(request: Request) -> Response:
        provider = _get_provider(parts)
        departure, after = parts.cookies.read_departure(request)
        vouched = await provider.arrive(departure, _read_arrival(request))
        user = await parts.identity.sign_in_vouched(vouched)
        if parts.on_sign_in is not None:
            await parts.on_sign_in(user, vouched.groups)
        await parts.note(user, source_of(request), "sign-in")
        session, token = await parts.identity.open_session(user, _BROWSER)
        response = RedirectResponse(after, 303, {"cache-control": "no-store"})
        parts.cookies.set_session(request, response, token, session.expires)
        parts.cookies.clear_departure(response)
        return response

    return router


def _get_provider(parts: SignIn) -> Provider:
    if parts.oidc is None:
        raise NotFound("No sign-in provider is configured here. Sign in with a password.")
    return parts.oidc


def _read_arrival(request: Request) -> Arrival:
    said = request.query_params
    return Arrival(said.get("code"), said.get("state"), said.get("iss"), said.get("error"))


def _find_token(request: Request) -> str:
    """Of the header, or of the cookie if a script of ours sends it: no form can set that header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if (cookie := request.cookies.get(SESSION)) is None:
        raise Unauthenticated("Send the token as 'Authorization: Bearer TOKEN'.")
    if "x-cupola-request" not in request.headers:
        raise Forbidden("With the cookie, send the header 'X-Cupola-Request: 1' as well.")
    return cookie


def _reply(response: Response, session: Session, token: str) -> TokenReply:
    response.headers["cache-control"] = "no-store"
    expires = _say_time(session.expires)
    shown = SessionReply(
        id=session.id,
        label=session.label,
        created=_say_time(session.created),
        expires=expires,
        scopes=None if session.scopes is None else sorted(session.scopes),
    )
    return TokenReply(token=token, expires=expires, session=shown)


_SAID: Final = {
    Refusal.PENDING: "Nobody has confirmed the code yet. Ask again after the interval.",
    Refusal.SLOW_DOWN: "That was too early. Ask again after five seconds more than before.",
    Refusal.EXPIRED: "The code is unknown, used or has expired. Begin the sign-in again.",
    Refusal.DENIED: "The sign-in was refused.",
}


def _refuse_poll(request: Request, refusal: Refusal) -> JSONResponse:
    """RFC 8628's words for a command to branch on, which kinds of errors have no word for."""
    error = {"code": refusal.value, "message": _SAID[refusal]}
    if (request_id := getattr(request.state, "request_id", None)) is not None:
        error["request_id"] = request_id
    return JSONResponse({"error": error}, 400, {"cache-control": "no-store"})


def _say_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
