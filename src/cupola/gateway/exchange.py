"""One HTTP request and its response, with the headers that every response carries."""

from cupola.gateway.address import Address, resolve
from cupola.gateway.compatibility import FAILED_DEPENDENCY, OF_MODELS, SERVICE, Compatibility
from cupola.gateway.dialects import Dialect, dialect_of
from cupola.gateway.directory import Served, ServedEndpoint
from cupola.gateway.journey import Journey
from cupola.http.asgi import (
    EXTENSION,
    Connection,
    Header,
    Receive,
    Scope,
    Send,
    send_whole,
    start_stream,
)
from cupola.ids import new_reply_id
from cupola.kit.errors import CupolaError, Invalid, Kind, NotFound
from cupola.tokens.model import InsufficientScope, InvalidToken

JSON = b"application/json"
DEPLOYMENT = "azureml-model-deployment"
"""The header by which a caller asks for one of an endpoint's deployments."""
_DEPLOYMENT = DEPLOYMENT.encode()
_LONGEST_ECHO = 128
_STREAM = (
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_UNREAD = frozenset((Kind.TOO_LARGE, Kind.TOO_SLOW))
"""Errors that leave a body unread on the connection, which must therefore end."""

_MAY_RETRY = frozenset((Kind.UNAVAILABLE, Kind.RATE_LIMITED))
"""The Azure client for Python repeats any request refused with `retry-after`, up to ten times."""
_RETRY_AFTER = b"retry-after"


class Exchange:
    """One request, and what has been sent in reply to it."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        compatibility: Compatibility = SERVICE,
    ) -> None:
        self.id = new_reply_id()
        """In `x-request-id` and, in a chat, the reply's id: one word to search logs for."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.scheme: str = scope.get("scheme", "http")
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        self.connection: Connection = scope["extensions"][EXTENSION]
        self.send = send
        self.started = False
        self._compatibility = compatibility
        compatibility.amend(self.headers)
        self.address: Address | None = resolve(self.path, compatibility.find_endpoint(self.headers))
        self.dialect: Dialect = dialect_of(self.address, self.path)
        self.journey = Journey(self.id, self.address, self.headers)
        self._served_by: tuple[Header, ...] = ()
        self.carried: tuple[Header, ...] = ()
        """What else the reply's head says, of limits and of what it cost."""

    def choose(self, endpoint: ServedEndpoint) -> Served:
        """Who answers this call of `endpoint`, as the reply will say.

        A deployment is named by the header, or by the path behind `/openai/deployments/`, where the
        endpoint's own name stands for whatever its traffic split gives.

        Raises:
            NotFound: There is no deployment of that name, or none that gets traffic.
            Invalid: Header and path name two.
        """
        served = self.find_named(endpoint) or endpoint.choose()
        self._tell(served)
        return served

    def show(self, endpoint: ServedEndpoint) -> Served:
        """Of whom `endpoint` is described: who is named, else who most likely answers.

        Raises:
            NotFound: As `choose`; but one without traffic can be described.
        """
        served = self.find_named(endpoint) or endpoint.usual
        if served is None:
            raise NotFound(endpoint.explain_silence())
        self._tell(served)
        return served

    def find_named(self, endpoint: ServedEndpoint) -> Served | None:
        """The deployment that the request names; None if it names none. Raises: as `choose`."""
        named = self._find_deployment(endpoint)
        return endpoint.get(named) if named else None

    def _tell(self, served: Served) -> None:
        self.journey.served = served
        self._served_by = ((b"x-ms-deployment-name", served.deployment.encode()),)

    def _find_deployment(self, endpoint: ServedEndpoint) -> str:
        sent = self.headers.get(_DEPLOYMENT, b"").decode("latin-1")
        in_path = self.address.deployment if self.address else ""
        if in_path == endpoint.name and in_path not in endpoint.deployments:
            in_path = ""
        if sent and in_path and sent != in_path:
            endpoint.get(sent)
            endpoint.get(in_path)
            raise Invalid(
                f"The path names the deployment '{in_path[:64]}', the header '{DEPLOYMENT}' "
                f"'{sent[:64]}'. Send one of them."
            )
        return sent or in_path

    async def reply(
        self,
        body: bytes,
        *,
        status: int = 200,
        kind: bytes = JSON,
        headers: tuple[Header, ...] = (),
    ) -> None:
        """Send a whole response."""
        self.started = True
        self.journey.status = status
        await send_whole(
            self.send, status, ((b"content-type", kind), *self._identity(), *headers), body
        )

    async def start_stream(self, kind: bytes = b"text/event-stream") -> None:
        """Send the head of a body that follows in pieces: of an event stream, or of `kind`."""
        self.started = True
        self.journey.status = 200
        await start_stream(self.send, ((b"content-type", kind), *_STREAM, *self._identity()))

    async def refuse(self, error: CupolaError, headers: tuple[Header, ...] = ()) -> None:
        """Send `error`, in the dialect of the route."""
        self.journey.error = error.kind.value
        refusal = self.dialect.refuse(error)
        headers += ((b"x-ms-error-code", refusal.code.encode()),)
        if error.kind is Kind.UNAUTHENTICATED or isinstance(error, InsufficientScope):
            headers += ((b"www-authenticate", _challenge(error)),)
        if error.kind in _UNREAD:
            headers += ((b"connection", b"close"),)
        says_when = any(name == _RETRY_AFTER for name, _ in headers)
        if error.retry_after is not None and error.kind in _MAY_RETRY and not says_when:
            headers += ((_RETRY_AFTER, b"%d" % max(1, round(error.retry_after))),)
        status = refusal.status
        if self._compatibility.model_error_status == "424" and error.kind in OF_MODELS:
            status = FAILED_DEPENDENCY
            headers += (
                (b"ms-azureml-model-error-statuscode", b"%d" % refusal.status),
                (b"ms-azureml-model-error-reason", b"model_error"),
            )
        await self.reply(refusal.body, status=status, headers=headers)

    def _identity(self) -> tuple[Header, ...]:
        ours = (b"x-request-id", self.id.encode())
        theirs = self.headers.get(b"x-ms-client-request-id")
        if theirs is None:
            return (ours, *self._served_by, *self.carried)
        echo = (b"x-ms-client-request-id", theirs[:_LONGEST_ECHO])
        return (ours, echo, *self._served_by, *self.carried)

    def find_status(self, error: Exception) -> int:
        """The status that the caller sees, now that `error` came up."""
        if self.started:
            return 200
        if not isinstance(error, CupolaError):
            return 500
        if self._compatibility.model_error_status == "424" and error.kind in OF_MODELS:
            return FAILED_DEPENDENCY
        return self.dialect.refuse(error).status


def _challenge(error: CupolaError) -> bytes:
    """As RFC 6750 has it, section 3.1: clients renew a token when they read `invalid_token`."""
    if isinstance(error, InvalidToken):
        return b'Bearer error="invalid_token"'
    if isinstance(error, InsufficientScope):
        return b'Bearer error="insufficient_scope"'
    return b"Bearer"
