"""Signing in: the routes under `/management/v1/sign-in`, and with them the pages of `/sign-in`.

    POST /sign-in                {name, password, label}     a token
    POST /sign-in/first          {code, name, password}      the first administrator's
    POST /sign-in/device         {label}                     codes for a command line
    POST /sign-in/device/token   {device_code}               its token, once confirmed
    GET  /sign-in/oidc           (a browser)                 off to the provider
    GET  /sign-in/oidc/callback  (a browser)                 and back
    POST /sign-out                                           ends the session

Tokens are in bodies, shown once; only the pages and the callback set cookies.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints
from starlette.responses import JSONResponse, RedirectResponse

from cupola.control.authority import Caller, address_of
from cupola.control.cookies import Cookies, local_path
from cupola.control.doors import Doors, OnSignIn
from cupola.control.sessions import MadeSession, make_sessions_router, show_made
from cupola.control.shapes import Asked, Line, Told
from cupola.control.sign_in_pages import PageRoute, make_pages_router
from cupola.identity.device import EXPIRES_IN, INTERVAL, DeviceSignIns, Refusal
from cupola.identity.model import Arrival
from cupola.identity.ports import Provider
from cupola.identity.service import Identity
from cupola.identity.tries import Tries
from cupola.kit.clock import Clock
from cupola.kit.errors import NotFound

_CALLBACK: Final = "/management/v1/sign-in/oidc/callback"

Secret = Annotated[str, StringConstraints(max_length=1000)]
Label = Annotated[Line, Field(description="What its owner's list calls it.", examples=["laptop"])]


class SignInBody(Asked):
    """A name and a password."""

    name: Secret = Field(examples=["ada"])
    password: Secret
    label: Label = "sign-in"


class FirstBody(Asked):
    """The code of the link that Cupola printed, and who its first administrator is to be."""

    code: Secret
    name: Secret = Field(examples=["ada"])
    password: Secret
    label: Label = "sign-in"


class DeviceBody(Asked):
    """What a command line calls itself."""

    label: Label = "command line"


class DeviceTokenBody(Asked):
    """The long one of the two codes."""

    device_code: Secret


class DeviceCodes(Told):
    """Two codes: one to poll with, one for a person to type at `verification_uri`."""

    device_code: str
    user_code: str = Field(examples=["BCDF-GHJK"])
    verification_uri: str
    verification_uri_complete: str = Field(description="With the code; the page still asks.")
    interval: int = Field(description="Seconds between two polls.")
    expires_in: int = Field(description="Seconds.")


def make_sign_in_routers(
    identity: Identity,
    device: DeviceSignIns,
    oidc: Provider | None = None,
    *,
    clock: Clock,
    secret: bytes,
    public_url: str = "",
    on_sign_in: OnSignIn | None = None,
) -> tuple[APIRouter, APIRouter]:
    """Routes of the management API (`make_control`'s `routers`), and pages (its `pages`).

    Args:
        oidc: The provider of `identity.toml`; None: passwords only.
        secret: For this purpose alone (`Keyring.derive_secret`); signs cookies and forms.
        public_url: The address people use, if that is not what requests say (behind a proxy).
        on_sign_in: Gives memberships by group; in one transaction with the session.
    """
    cookies = Cookies(secret, clock, public_url)
    doors = Doors(identity, device, cookies, Tries(clock), oidc, on_sign_in)
    router = APIRouter()
    router.include_router(_make_password_router(doors))
    router.include_router(_make_device_router(doors))
    router.include_router(_make_oidc_router(doors))
    router.include_router(make_sessions_router(doors))
    return router, make_pages_router(doors)


def _make_password_router(doors: Doors) -> APIRouter:
    router = APIRouter(tags=["sign-in"])

    @router.post("/sign-in", summary="Sign in with a password")
    async def sign_in(body: SignInBody, request: Request) -> MadeSession:
        user = await doors.identity.verify(body.name, body.password, address_of(request))
        return show_made(*await doors.open(request, user, body.label))

    @router.post("/sign-in/first", summary="Become the first administrator")
    async def claim_first(body: FirstBody, request: Request) -> MadeSession:
        user = await doors.claim(request, body.code, body.name, body.password)
        return show_made(*await doors.open(request, user, body.label))

    @router.post("/sign-out", status_code=204, summary="End the session")
    async def sign_out(caller: Caller, request: Request, response: Response) -> None:
        if caller.session is not None:
            await doors.end(request, caller, caller.session)
        doors.cookies.clear_session(response)

    return router


def _make_device_router(doors: Doors) -> APIRouter:
    router = APIRouter(tags=["sign-in"])

    @router.post("/sign-in/device", summary="Ask for a command line's codes")
    async def begin_device(body: DeviceBody, request: Request) -> DeviceCodes:
        codes = doors.device.begin(body.label, address_of(request))
        page = f"{doors.cookies.base_url(request)}/sign-in/device"
        return DeviceCodes(
            device_code=codes.device_code,
            user_code=codes.user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?code={codes.user_code}",
            interval=INTERVAL,
            expires_in=EXPIRES_IN,
        )

    @router.post(
        "/sign-in/device/token",
        summary="Ask whether a person has confirmed",
        response_model=MadeSession,
    )
    async def poll_device(body: DeviceTokenBody, request: Request) -> Any:
        """400 with the code `authorization_pending`, `slow_down`, `expired_token` or
        `access_denied` where there is no token."""
        waiting = doors.device.poll(body.device_code)
        if isinstance(waiting, Refusal):
            return _refuse_poll(request, waiting)
        user = await doors.identity.get_user(waiting.user.id) if waiting.user else None
        if user is None or user.disabled:  # meanwhile
            return _refuse_poll(request, Refusal.DENIED)
        return show_made(*await doors.open(request, user, waiting.label))

    return router


def _make_oidc_router(doors: Doors) -> APIRouter:
    router = APIRouter(route_class=PageRoute, include_in_schema=False)

    @router.get("/sign-in/oidc")
    async def depart(request: Request) -> Response:
        callback = f"{doors.cookies.base_url(request)}{_CALLBACK}"
        departure = await _get_provider(doors).depart(callback)
        response = RedirectResponse(departure.url, 303)
        after = local_path(request.query_params.get("next"), "/sign-in/done")
        doors.cookies.keep_departure(request, response, departure, after)
        return response

    @router.get("/sign-in/oidc/callback")
    async def arrive(request: Request) -> Response:
        provider = _get_provider(doors)
        departure, after = doors.cookies.read_departure(request)
        vouched = await provider.arrive(departure, _read_arrival(request))
        session, token = await doors.open_vouched(request, vouched)
        response = RedirectResponse(after, 303)
        doors.cookies.set_session(request, response, token, session.expires)
        doors.cookies.clear_departure(response)
        return response

    return router


def _get_provider(doors: Doors) -> Provider:
    if doors.oidc is None:
        raise NotFound("No sign-in provider is configured here. Sign in with a password.")
    return doors.oidc


def _read_arrival(request: Request) -> Arrival:
    said = request.query_params
    return Arrival(said.get("code"), said.get("state"), said.get("iss"), said.get("error"))


_SAID: Final = {
    Refusal.PENDING: "Nobody has confirmed the code yet. Ask again after the interval.",
    Refusal.SLOW_DOWN: "That was too early. Ask again after five seconds more than before.",
    Refusal.EXPIRED: "The code is unknown, used or has expired. Begin the sign-in again.",
    Refusal.DENIED: "The sign-in was refused.",
}


def _refuse_poll(request: Request, refusal: Refusal) -> JSONResponse:
    """RFC 8628's words for a command to branch on, for which kinds of errors have none."""
    said: dict[str, object] = {"code": refusal.value, "message": _SAID[refusal], "path": []}
    return JSONResponse({"error": {**said, "request_id": request.state.id}}, 400)
