"""The pages of signing in, for people with a browser.

/sign-in          name and password, or off to the provider
/sign-in/first    the first administrator; the code comes in the fragment
/sign-in/device   confirming a command line
/sign-in/done     signed in; signing out is there
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse

from cupola.control.authority import COOKIE, address_of
from cupola.control.cookies import local_path
from cupola.control.doors import Doors
from cupola.control.errors import TABLE
from cupola.control.pages.render import render, serve_asset
from cupola.identity.device import Waiting
from cupola.identity.model import Principal
from cupola.identity.passwords import SHORTEST
from cupola.kit.errors import CupolaError, Forbidden, Invalid, TooLarge, Unauthenticated

_LARGEST_FORM: Final = 16 * 1024
_DONE: Final = "/sign-in/done"
_LABEL: Final = "browser"


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except CupolaError as error:
                if error.private:
                    request.state.log(error.private)
                return _show_error(error)

        return handle_for_people


def _show_error(error: CupolaError) -> Response:
    page = render("done", _status(error), title="That did not work", message=error.public, user="")
    return _with_retry(page, error)


def make_pages_router(doors: Doors) -> APIRouter:
    """The routes of the pages."""
    pages = _Pages(doors)
    router = APIRouter(route_class=PageRoute, include_in_schema=False)
    router.get("/sign-in")(pages.show_sign_in)
    router.post("/sign-in")(pages.sign_in)
    router.get("/sign-in/first")(pages.show_first)
    router.post("/sign-in/first")(pages.claim_first)
    router.get("/sign-in/device")(pages.show_device)
    router.post("/sign-in/device")(pages.answer_device)
    router.get(_DONE)(pages.show_done)
    router.post("/sign-in/out")(pages.sign_out)
    router.get("/sign-in/assets/{name}")(pages.serve_asset)
    return router


class _Pages:
    """What the routes do; each public method is one."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._identity = doors.identity
        self._cookies = doors.cookies

    async def show_sign_in(self, request: Request) -> Response:
        return self._sign_in_page(request, request.query_params.get("next"))

    async def sign_in(self, request: Request) -> Response:
        form = await self._read_form(request)
        name, password = form.get("name", ""), form.get("password", "")
        try:
            user = await self._identity.verify(name, password, address_of(request))
        except CupolaError as error:
            return self._sign_in_page(request, form.get("next"), error, name)
        session, token = await self._doors.open(request, user, _LABEL)
        response = _go(local_path(form.get("next"), _DONE))
        self._cookies.set_session(request, response, token, session.expires)
        return response

    async def show_first(self, request: Request) -> Response:
        return self._first_page(request)

    async def claim_first(self, request: Request) -> Response:
        form = await self._read_form(request)
        code, name, password = (form.get(key, "") for key in ("code", "name", "password"))
        try:
            user = await self._doors.claim(request, code.strip(), name, password)
        except CupolaError as error:
            return self._first_page(request, error, name, code)
        session, token = await self._doors.open(request, user, _LABEL)
        response = _go(_DONE)
        self._cookies.set_session(request, response, token, session.expires)
        return response

    async def show_device(self, request: Request) -> Response:
        """Asks for the code, or, with one that somebody waits under, for confirmation."""
        code = request.query_params.get("code", "")[:32]
        principal = await self._find_principal(request)
        if principal is None:
            after = f"/sign-in/device?code={quote(code)}" if code else "/sign-in/device"
            return _go(f"/sign-in?next={quote(after, safe='')}")
        if not code:
            return render("device", message="", code="", user=principal.user.name)
        waiting = self._find_waiting(principal, code)
        if waiting is None:
            said = "Nothing waits under this code. Check it; codes last ten minutes."
            return render("device", 404, message=said, code=code, user=principal.user.name)
        return self._with_form(
            request,
            "confirm",
            code=code,
            label=waiting.label,
            source=waiting.source,
            user=principal.user.name,
        )

    async def answer_device(self, request: Request) -> Response:
        form = await self._read_form(request)
        principal = await self._find_principal(request)
        if principal is None:
            raise Unauthenticated("You are not signed in any more. Sign in, and confirm again.")
        if principal.session is None or principal.scopes is not None:
            raise Forbidden("Only a whole sign-in can let a command line in, no narrowed token.")
        code, approved = form.get("code", ""), form.get("answer") == "approve"
        user = principal.user
        waiting = self._find_waiting(principal, code)
        if waiting is None:
            raise Invalid("Nothing waits under this code any more. Start the command again.")
        await self._doors.note_device(request, principal, waiting.label, approved)
        if approved:
            self._doors.device.approve(code, user)
        else:
            self._doors.device.deny(code)
        title = "Your command line is signed in" if approved else "Refused"
        message = "You can close this page." if approved else "Nothing was let in."
        return self._with_form(request, "done", title=title, message=message, user=user.name)

    async def show_done(self, request: Request) -> Response:
        principal = await self._find_principal(request)
        if principal is None:
            return _go("/sign-in")
        return self._with_form(
            request,
            "done",
            title="You are signed in",
            message="You can close this page.",
            user=principal.user.name,
        )

    async def sign_out(self, request: Request) -> Response:
        await self._read_form(request)
        principal = await self._find_principal(request)
        if principal is not None and principal.session is not None:
            await self._doors.end(request, principal, principal.session)
        response = _go("/sign-in")
        self._cookies.clear_session(response)
        return response

    async def serve_asset(self, name: str) -> Response:
        return serve_asset(name)

    def _sign_in_page(
        self,
        request: Request,
        after: str | None,
        error: CupolaError | None = None,
        name: str = "",
    ) -> Response:
        return self._with_form(
            request,
            "sign_in",
            error,
            next=local_path(after, _DONE),
            name=name[:128],
            provider=self._doors.oidc.name if self._doors.oidc else "",
        )

    def _first_page(
        self,
        request: Request,
        error: CupolaError | None = None,
        name: str = "",
        code: str = "",
    ) -> Response:
        """With what was typed, and the code: the address has it no more."""
        return self._with_form(
            request, "first", error, name=name[:128], code=code[:128], shortest=SHORTEST
        )

    def _with_form(
        self, request: Request, page: str, error: CupolaError | None = None, **values: Any
    ) -> Response:
        """A page with a form on it, which only this browser can send."""
        if error is not None and error.private:
            request.state.log(error.private)
        cookie, form = self._cookies.issue_form(request)
        values.setdefault("message", error.public if error else "")
        response = render(page, _status(error) if error else 200, form=form, **values)
        self._cookies.keep_form(request, response, cookie)
        return _with_retry(response, error)

    async def _read_form(self, request: Request) -> dict[str, str]:
        """The fields of a form of ours; parsed here, since no file ever comes."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Invalid("Send a form, as the page does.")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST_FORM:
                raise TooLarge("That is more than the form has room for.")
        try:
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
        except ValueError:
            raise Invalid("The form cannot be read. Open the page again.") from None
        self._cookies.check_form(request, fields.get("form", ""))
        return fields

    def _find_waiting(self, principal: Principal, code: str) -> Waiting | None:
        """The command that waits under a code, if it was not guessed."""
        self._doors.tries.begin(principal.user.id, principal.source)
        waiting = self._doors.device.find(code)
        if waiting is not None:
            self._doors.tries.succeed(principal.user.id, principal.source)
        return waiting

    async def _find_principal(self, request: Request) -> Principal | None:
        token = request.cookies.get(COOKIE)
        if token is None:
            return None
        try:
            return await self._identity.authenticate(token, address_of(request))
        except Unauthenticated:
            return None


def _status(error: CupolaError) -> int:
    return TABLE[error.kind]


def _with_retry(response: Response, error: CupolaError | None) -> Response:
    if error is not None and error.retry_after is not None:
        response.headers["retry-after"] = str(max(1, round(error.retry_after + 0.5)))
    return response


def _go(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303)
