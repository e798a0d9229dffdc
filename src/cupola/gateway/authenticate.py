"""Who calls: the key or token of a request -> the endpoints it may call.

Azure's current clients send the key twice, as `Authorization: Bearer K` and as `api-key: K`; others
send either. One good key is enough. A key is looked up by its digest, so neither time nor memory
tells anything about keys that exist, and none is kept or logged.

    presented          endpoint with keys             endpoint with tokens
    its key            may call                       401: it takes tokens
    another's key      404, as if it did not exist    404
    its token          401: it takes keys             may call
    another's token    401: it takes keys             403
    anything else      401                            401: it takes tokens

A project's key is "its key" at each endpoint that the key was made for. Routes without an endpoint
in their address take either, and reach those that take what was presented.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn, Protocol, TypeAlias

from cupola.deployments.model import AuthMode
from cupola.gateway.directory import Caller, ServedEndpoint, Snapshot
from cupola.ids import EndpointName
from cupola.kit.clock import Clock
from cupola.kit.errors import Invalid, NotFound, Unauthenticated
from cupola.tokens.model import LONGEST_TOKEN, By, InsufficientScope, InvalidToken, Verified

Digest: TypeAlias = Callable[[str], bytes]
Headers: TypeAlias = Mapping[bytes, bytes]

LONGEST_KEY = 512
"""Ours have 32 characters; more than this is not worth a digest."""
ANY_MODEL = "azureai"
"""What Mistral's Azure client sends when its user names no model."""
_DOTS_OF_A_TOKEN: Final = 2
_BEARER: Final = b"bearer "
_BAD_KEY: Final = "The key is not valid here. Check it, and the endpoint's URL."


class Verifier(Protocol):
    """Says what a token proves; `tokens.service.Tokens` is one."""

    async def verify(self, token: str) -> Verified:
        """Raises: InvalidToken, InsufficientScope, Unavailable."""
        ...


class NoTokens:
    """A `Verifier` where no issuer is accepted."""

    async def verify(self, token: str) -> Verified:
        raise InvalidToken(
            "No issuer of tokens is accepted here. Whoever runs this server names issuers in the "
            "section [tokens] of identity.toml."
        )


class Authenticator:
    """Finds out what a request may call.

    Args:
        digest: Key -> what the directory knows it by.
    """

    def __init__(self, digest: Digest, clock: Clock, verifier: Verifier | None = None) -> None:
        self._digest = digest
        self._clock = clock
        self._verifier = verifier or NoTokens()

    async def authenticate(
        self, headers: Headers, snapshot: Snapshot, name: EndpointName | None
    ) -> Caller:
        """Whoever presents the request's key or token.

        Args:
            name: The endpoint of the request's address; None: its body will say.
        """
        endpoint = None if name is None else snapshot.endpoints.get(name)
        presented = _list_presented(headers)
        caller = self._find_key(presented, snapshot)
        if caller is not None:
            if endpoint is not None and endpoint.auth_mode is not caller.mode:
                _refuse_key(caller, endpoint)
            return caller
        token = _find_token(headers)
        if endpoint is not None and endpoint.auth_mode is AuthMode.KEY:
            _refuse_stranger(presented, token)
        if token is None:
            _refuse_stranger(presented, token, endpoint)
        verified = await self._verifier.verify(token)
        reach = tuple(
            names
            for grantee in verified.grantees
            for names in snapshot.token_grants.get(grantee, ())
        )
        subject = _find_subject(verified)
        caller = Caller(
            reach,
            AuthMode.TOKEN,
            key=subject,
            bounds=snapshot.subject_bounds.get(subject, ()),
        )
        if endpoint is not None and not caller.may_call(endpoint.name):
            raise InsufficientScope(
                f"The token is valid, but gives no right to call the endpoint '{endpoint.name}'. "
                "Ask an owner of its project for the role inference-user, or whoever runs this "
                "server for a grant to one of the token's roles or groups."
            )
        return caller

    def _find_key(self, presented: Sequence[str], snapshot: Snapshot) -> Caller | None:
        for key in presented:
            caller = snapshot.keys.get(self._digest(key))
            if caller is None:
                continue
            if caller.expires is not None and caller.expires <= self._clock.now():
                raise Unauthenticated("The key has expired. Make a new one, and use it instead.")
            return caller
        return None


def find_served(snapshot: Snapshot, caller: Caller, endpoint: EndpointName) -> ServedEndpoint:
    """The endpoint of that name. Someone else's is as unknown as one that does not exist."""
    found = snapshot.endpoints.get(endpoint)
    if found is not None and caller.may_call(endpoint):
        return found
    raise NotFound(f"There is no endpoint '{endpoint[:64]}' that this {caller.mode} may call.")


def choose_served(snapshot: Snapshot, caller: Caller, model: str | None) -> ServedEndpoint:
    """The endpoint that a project-wide request means by its body's `model`."""
    return choose_among(list_served(snapshot, caller), model)


def choose_among(served: Sequence[ServedEndpoint], model: str | None) -> ServedEndpoint:
    """The one of `served` that is meant by `model`."""
    named = served if model in (None, "", ANY_MODEL) else _named(served, str(model))
    if len(named) == 1:
        return named[0]
    names = ", ".join(one.name for one in served)
    if not named:
        raise NotFound(
            f"There is no model '{str(model)[:64]}' that this key may call. It may call: {names}."
        )
    raise Invalid(
        f"Several endpoints could be meant. Say which in 'model': {names}.",
        path=("model",),
        value=model,
    )


def list_served(snapshot: Snapshot, caller: Caller) -> list[ServedEndpoint]:
    """The endpoints that a caller may call, in the order of their names."""
    found = [snapshot.endpoints.get(name) for name in sorted(caller.list_names())]
    return [one for one in found if one is not None and one.auth_mode is caller.mode]


def _named(served: Sequence[ServedEndpoint], model: str) -> Sequence[ServedEndpoint]:
    """By the endpoint's name, else by the model that most of its requests get."""
    by_endpoint = [one for one in served if one.name == model]
    return by_endpoint or [one for one in served if one.usual and one.usual.model == model]


def _refuse_key(caller: Caller, endpoint: ServedEndpoint) -> None:
    """A good key, at an endpoint that takes tokens: only who may know of it is told more."""
    if caller.may_call(endpoint.name):
        raise InvalidToken(_expect_token(endpoint))


def _refuse_stranger(
    presented: Sequence[str], token: str | None, endpoint: ServedEndpoint | None = None
) -> NoReturn:
    if endpoint is not None:
        raise (
            InvalidToken(_expect_token(endpoint))
            if presented
            else Unauthenticated(_expect_token(endpoint))
        )
    if token is not None:
        raise InvalidToken(
            "This endpoint takes a key, not a token. Send its key in the header "
            "'Authorization: Bearer KEY' or 'api-key: KEY'."
        )
    if presented:
        raise Unauthenticated(_BAD_KEY)
    raise Unauthenticated(
        "No key was sent. Send the endpoint's key in the header 'Authorization: Bearer KEY' or "
        "'api-key: KEY'."
    )


def _find_subject(verified: Verified) -> str:
    """Whom the token is of; a program's may have no subject."""
    subjects = (one.name for one in verified.grantees if one.by is By.SUBJECT)
    return next(subjects, "token")


def _expect_token(endpoint: ServedEndpoint) -> str:
    return (
        f"The endpoint '{endpoint.name}' takes a token of an accepted issuer, not a key. Send one "
        "in the header 'Authorization: Bearer TOKEN'."
    )


def _find_token(headers: Headers) -> str | None:
    """What looks like a JWT, which no key does; where its standard puts it."""
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    token = bearer.strip()
    if scheme.lower() != b"bearer" or token.count(b".") != _DOTS_OF_A_TOKEN:
        return None
    return token.decode("latin-1") if len(token) <= LONGEST_TOKEN else None


def _list_presented(headers: Headers) -> list[str]:
    """The distinct keys a request may carry."""
    bearer = headers.get(b"authorization", b"")
    bearer = bearer[len(_BEARER) :] if bearer[: len(_BEARER)].lower() == _BEARER else b""
    key = headers.get(b"api-key", b"")
    found = (bearer,) if key in (b"", bearer) else (bearer, key)
    stripped = [one.strip() for one in found]
    return [one.decode("latin-1") for one in stripped if 0 < len(one) <= LONGEST_KEY]
