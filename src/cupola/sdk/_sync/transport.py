# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.
"""Sending requests over httpx, again where `_retry` says so."""

import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any, TypeVar

import httpx

from cupola.sdk._decode import decode
from cupola.sdk._errors import TimedOut, Unreachable, read_refusal, read_seconds
from cupola.sdk._request import PREFIX, Reply, Request, ask, check_server, read_page
from cupola.sdk._retry import Policy

T = TypeVar("T")

_PAGE = 200
"""Items that one request for a list asks for: the most the server gives."""


class Transport:
    """A server, and the connections to it."""

    def __init__(
        self,
        server: str,
        token: str | None,
        *,
        timeout: float,
        verify: ssl.SSLContext | str | bool,
        policy: Policy,
        mount: httpx.BaseTransport | None = None,
    ) -> None:
        self.server = check_server(server)
        self._policy = policy
        self._http = httpx.Client(
            base_url=self.server + PREFIX,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout,
            verify=_choose_trust(verify),
            transport=mount,
        )

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request) -> Reply:
        """The reply to a request that the server granted.

        Raises:
            Refused: It did not.
            Unreachable: No reply came.
        """
        headers = _write_headers(request)
        tried = 0
        while True:
            tried += 1
            try:
                response = self._http.request(
                    request.method,
                    request.path,
                    params=request.query,
                    content=request.body,
                    headers=headers,
                )
            except httpx.TransportError as error:
                pause = _after_fault(self._policy, request, tried, error)
                if pause is None:
                    raise _explain(error, self.server) from error
            else:
                reply = Reply(response.status_code, dict(response.headers), response.content)
                if reply.status < 400:
                    return reply
                if tried > 1 and request.method == "DELETE" and reply.status == 404:
                    return reply  # an earlier attempt did it, whose reply was lost
                wait = read_seconds(reply.headers.get("retry-after", ""))
                pause = self._policy.after_status(reply.status, tried, wait)
                if pause is None:
                    raise read_refusal(reply.status, reply.headers, reply.body)
            sleep(pause)

    def list(self, path: str, into: type[T], **query: Any) -> Iterator[T]:
        """Every item of a list; the next page is asked for when it is needed."""
        cursor: str | None = None
        while True:
            asked = ask(limit=_PAGE, cursor=cursor, **query)
            page = read_page(self.send(Request("GET", path, asked)))
            for item in page.items:
                yield decode(item, into)
            cursor = page.next
            if cursor is None:
                return

    @contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """A reply that comes in parts, for as long as it takes."""
        patience = httpx.Timeout(self._http.timeout.connect, read=None)
        try:
            with self._http.stream(
                request.method,
                request.path,
                params=request.query,
                headers=_write_headers(request),
                timeout=patience,
            ) as response:
                if response.status_code >= 400:
                    body = response.read()
                    raise read_refusal(response.status_code, response.headers, body)
                yield response
        except httpx.TransportError as error:
            raise _explain(error, self.server) from error


def _choose_trust(verify: ssl.SSLContext | str | bool) -> ssl.SSLContext | bool:
    """A file of certificates is trusted alone: that of one's own authority."""
    return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify


def _write_headers(request: Request) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    if request.if_version is not None:
        headers["If-Match"] = f'"{request.if_version}"'
    if request.method == "POST":
        headers["Idempotency-Key"] = uuid.uuid4().hex
    return headers


def _after_fault(
    policy: Policy, request: Request, tried: int, error: httpx.TransportError
) -> float | None:
    unconnected = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, unconnected):
        return None
    return policy.after_fault(request, tried, connected=not isinstance(error, unconnected))


def _explain(error: httpx.TransportError, server: str) -> Unreachable:
    said = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{server} did not reply in time ({said}).")
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return Unreachable(
            f"{server} has a certificate of an authority that is not trusted here ({said}). If it "
            "is your own, name the file of its certificate (verify, or CUPOLA_CA_FILE)."
        )
    return Unreachable(f"{server} cannot be reached ({said}). Is it running?")
