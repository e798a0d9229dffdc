"""Cookies of browsers, and what is signed so that it comes back as it went.

    cupola_session     the session's token, as a command would send it in `Authorization`
    cupola_form        a random value; a form of ours knows its keyed hash, another page's does not
    cupola_departure   what a browser on its way to a provider must bring back, signed

All are `HttpOnly` and `SameSite=Lax`, and `Secure` where the page is.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from cupola.control.authority import COOKIE as SESSION
from cupola.identity.model import Departure
from cupola.kit.clock import Clock
from cupola.kit.errors import Forbidden, Unauthenticated

FORM: Final = "cupola_form"
DEPARTURE: Final = "cupola_departure"
DEPARTURE_PATH: Final = "/management/v1/sign-in/oidc"
_DEPARTURE_LIFETIME: Final = 600
_GONE: Final = (
    "This sign-in took too long, or began in another browser. Begin again from the sign-in page."
)


class Cookies:
    """Sets, reads and signs.

    Args:
        secret: The installation's; keys for each purpose are derived from it.
        public_url: The address people use, if that is not what requests say.
    """

    def __init__(self, secret: bytes, clock: Clock, public_url: str = "") -> None:
        self._form_key = hmac.digest(secret, b"cupola sign-in form 1", "sha256")
        self._departure_key = hmac.digest(secret, b"cupola departure 1", "sha256")
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    def base_url(self, request: Request) -> str:
        """What addresses that people open begin with."""
        return self._public_url or str(request.base_url).rstrip("/")

    def set_session(self, request: Request, response: Response, token: str, expires: int) -> None:
        lifetime = expires - int(self._clock.now())
        self._set(request, response, SESSION, token, max_age=lifetime)

    def clear_session(self, response: Response) -> None:
        response.delete_cookie(SESSION, path="/", httponly=True, samesite="lax")

    def issue_form(self, request: Request) -> tuple[str, str]:
        """A value for the cookie, and what the form must say with it."""
        cookie = request.cookies.get(FORM) or secrets.token_urlsafe(32)
        return cookie, self._form_hash(request, cookie)

    def keep_form(self, request: Request, response: Response, cookie: str) -> None:
        self._set(request, response, FORM, cookie)

    def check_form(self, request: Request, said: str) -> None:
        """Refuse what another site's page sent in this browser's name."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        expected = self._form_hash(request, request.cookies.get(FORM, ""))
        same = hmac.compare_digest(expected.encode(), said.encode(errors="surrogatepass"))
        if site not in ("same-origin", "none") or FORM not in request.cookies or not same:
            raise Forbidden(
                "This form is too old, or is not ours. Open the page again; it needs cookies."
            )

    def keep_departure(
        self, request: Request, response: Response, departure: Departure, after: str
    ) -> None:
        """So that the answer is taken from this browser alone; `after` is where it goes then."""
        until = int(self._clock.now()) + _DEPARTURE_LIFETIME
        payload = json.dumps([asdict(departure) | {"url": ""}, after, until]).encode()
        signed = hmac.digest(self._departure_key, payload, "sha256") + payload
        value = base64.urlsafe_b64encode(signed).decode()
        self._set(
            request, response, DEPARTURE, value, path=DEPARTURE_PATH, max_age=_DEPARTURE_LIFETIME
        )

    def read_departure(self, request: Request) -> tuple[Departure, str]:
        """What `keep_departure` kept in this browser, and where to go next."""
        try:
            signed = base64.urlsafe_b64decode(request.cookies.get(DEPARTURE, ""))
        except ValueError:
            signed = b""
        mark, payload = signed[: hashlib.sha256().digest_size], signed[32:]
        if not hmac.compare_digest(mark, hmac.digest(self._departure_key, payload, "sha256")):
            raise Unauthenticated(_GONE)
        fields, after, until = json.loads(payload)
        if until <= self._clock.now():
            raise Unauthenticated(_GONE)
        return Departure(**fields), after

    def clear_departure(self, response: Response) -> None:
        response.delete_cookie(DEPARTURE, path=DEPARTURE_PATH, httponly=True, samesite="lax")

    def _form_hash(self, request: Request, cookie: str) -> str:
        """Of the session too, or whoever plants a cookie of theirs could write forms for it."""
        bound = f"{cookie}\0{request.cookies.get(SESSION, '')}".encode(errors="surrogatepass")
        return hmac.digest(self._form_key, bound, "sha256").hex()

    def _set(
        self, request: Request, response: Response, name: str, value: str, **more: Any
    ) -> None:
        secure = self.base_url(request).startswith("https:")
        response.set_cookie(name, value, httponly=True, samesite="lax", secure=secure, **more)


def local_path(wanted: str | None, otherwise: str) -> str:
    """Where to go next, if it is a path of ours: nobody is sent elsewhere by a link to us."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//"):
        return otherwise
    # Browsers read a backslash as a slash, and leave out control characters before they look.
    if "\\" in wanted or any(ord(c) <= 0x20 or ord(c) >= 0x7F for c in wanted):
        return otherwise
    return wanted
