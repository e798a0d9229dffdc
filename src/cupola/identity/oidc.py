"""Signing in with an OpenID Connect provider: the authorization code flow with PKCE.

    depart  discovery (cached) -> an address with state, nonce and the hash of a verifier
    arrive  state, issuer -> code and verifier for tokens -> ID token: signature by a key of the
            provider, then iss, aud, azp, exp, iat, nonce -> groups, from it or from userinfo

Nothing is believed before it is verified, and what is believed is issuer and subject: an e-mail
address or a name that a provider lets people choose must not make them somebody else here.
Needs the extra `oidc` (Authlib for the flow, joserfc for the tokens).
"""

import asyncio
import json
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from importlib import import_module
from typing import Any, Final

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import KeySet

from cupola.identity.mapping import OidcConfig, is_safe
from cupola.identity.model import Arrival, Departure, Vouched
from cupola.kit.clock import Clock
from cupola.kit.errors import Forbidden, Unauthenticated, Unavailable

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Signatures with a private key, and nothing else: `none` and shared secrets would let whoever
knows what is public write tokens."""
_LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ."""
_PATIENCE: Final = 10.0
_DISCOVERY_FRESH: Final = 3600.0
_KEYS_FRESH: Final = 3600.0
_KEYS_PAUSE: Final = 10.0
"""Seconds between two readings of the keys, whatever key ids strangers make up."""
_LARGEST: Final = 1024 * 1024
"""Bytes of any of the provider's documents."""
_MOST_GROUPS: Final = 1000
_REFUSED: Final = "The sign-in was not completed. Begin again from the sign-in page."


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What we need of the provider's discovery document."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    says_issuer: bool
    """RFC 9207: every answer to the browser names the issuer."""
    token_authentication: str


class OidcProvider:
    """A `Provider`: one issuer, as `identity.toml` describes it."""

    def __init__(self, config: OidcConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._metadata: tuple[_Metadata, float] | None = None
        self._keys: tuple[KeySet, float] | None = None
        self._asking = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._config.name

    async def depart(self, redirect_uri: str) -> Departure:
        metadata = await self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        async with self._client(metadata, redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization, state=state, nonce=nonce, code_verifier=verifier
            )
        return Departure(url, state, nonce, verifier, redirect_uri)

    async def arrive(self, departure: Departure, arrival: Arrival) -> Vouched:
        metadata = await self._discover()
        code = self._check_arrival(departure, arrival, metadata)
        tokens = await self._redeem(code, departure, metadata)
        claims = await self._verify(tokens.get("id_token"), departure.nonce, metadata)
        access = tokens.get("access_token")
        if self._config.groups_claim not in claims and metadata.userinfo and access:
            claims = {**await self._ask_userinfo(metadata.userinfo, access, claims), **claims}
        self._check_domain(claims)
        return self._vouch(claims)

    def _check_arrival(self, departure: Departure, arrival: Arrival, known: _Metadata) -> str:
        if not arrival.state or not _same(arrival.state, departure.state):
            raise Unauthenticated(_REFUSED, private="The state is another browser's.")
        names_issuer = arrival.issuer is not None or known.says_issuer
        if names_issuer and arrival.issuer != self._config.issuer:
            raise Unauthenticated(_REFUSED, private="The answer names another issuer.")
        if arrival.error is not None:
            private = f"The provider said {arrival.error[:100]!r}."
            raise Unauthenticated("The provider did not sign you in.", private=private)
        if not arrival.code:
            raise Unauthenticated(_REFUSED, private="The answer has no code.")
        return arrival.code

    async def _redeem(self, code: str, departure: Departure, known: _Metadata) -> dict[str, Any]:
        async with self._client(known, departure.redirect_uri) as client:
            try:
                return dict(
                    await client.fetch_token(
                        known.token, code=code, code_verifier=departure.verifier
                    )
                )
            except AuthlibBaseError as error:
                private = f"The provider took no code: {error.error}."
                raise Unauthenticated(_REFUSED, private=private) from None
            except (OSError, ValueError, _HttpError) as error:
                raise _silent(error) from None

    async def _verify(self, token: object, nonce: str, known: _Metadata) -> dict[str, Any]:
        if not isinstance(token, str):
            raise Unauthenticated(_REFUSED, private="The provider gave no ID token.")
        try:
            claims = await self._read_token(token, known)
            self._check_claims(claims, nonce)
        except (JoseError, ValueError) as error:
            private = f"The ID token is not good: {error}."
            raise Unauthenticated(_REFUSED, private=private) from None
        return claims

    async def _read_token(self, token: str, known: _Metadata) -> dict[str, Any]:
        """Its claims, if a key of the provider signed them; a key not seen yet is asked for."""
        try:
            return _decode(token, await self._find_keys(known))
        except (InvalidKeyIdError, BadSignatureError):  # the latter where keys have no id
            return _decode(token, await self._find_keys(known, renewed=True))

    def _check_claims(self, claims: Mapping[str, Any], nonce: str) -> None:
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock.now()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._config.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": self._config.client_id},
            exp={"essential": True},
            iat={"essential": True},
        )
        registry.validate(dict(claims))
        audience, party = claims["aud"], claims.get("azp")
        if isinstance(audience, list) and len(audience) > 1 and party is None:
            raise ValueError("several audiences, and no azp")
        if party is not None and party != self._config.client_id:
            raise ValueError("azp names another client")
        if not isinstance(claims.get("nonce"), str) or not _same(claims["nonce"], nonce):
            raise ValueError("the nonce is another browser's")
        subject = claims["sub"]
        if not (isinstance(subject, str) and subject.isprintable() and len(subject) <= 255):
            raise ValueError("sub is no line of at most 255 characters")

    def _check_domain(self, claims: Mapping[str, Any]) -> None:
        allowed = self._config.allowed_domains
        if not allowed:
            return
        email = claims.get("email")
        domain = email.rpartition("@")[2].lower() if isinstance(email, str) else ""
        if domain not in allowed or claims.get("email_verified") is not True:
            raise Forbidden(
                "Your account at the provider has no verified e-mail address of a domain that is "
                "let in here. Ask an administrator."
            )

    def _vouch(self, claims: Mapping[str, Any]) -> Vouched:
        names = (claims.get(key) for key in ("preferred_username", "email", "name", "sub"))
        groups = _texts(claims.get(self._config.groups_claim))
        administrators = self._config.administrators
        return Vouched(
            issuer=self._config.issuer,
            subject=claims["sub"],
            name=next(name for name in names if isinstance(name, str) and name),
            groups=groups,
            administrator=None if administrators is None else bool(groups & administrators),
        )

    async def _discover(self) -> _Metadata:
        async with self._asking:
            if self._metadata is None or self._metadata[1] <= self._clock.monotonic():
                url = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = _read_metadata(await _get(url), self._config)
                self._metadata = found, self._clock.monotonic() + _DISCOVERY_FRESH
            return self._metadata[0]

    async def _find_keys(self, known: _Metadata, *, renewed: bool = False) -> KeySet:
        """The provider's keys; read again when old, or when a new one is asked for."""
        async with self._asking:
            now = self._clock.monotonic()
            if self._keys is not None:
                keys, read = self._keys
                if now - read < (_KEYS_PAUSE if renewed else _KEYS_FRESH):
                    return keys
            keys = _read_keys(await _get(known.keys))
            self._keys = keys, now
            return keys

    async def _ask_userinfo(
        self, url: str, token: str, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Claims that the provider tells only there; of the same subject, or nobody's."""
        more = await _get(url, {"authorization": f"Bearer {token}"})
        if more.get("sub") != claims["sub"]:
            raise Unauthenticated(_REFUSED, private="userinfo is about somebody else.")
        return more

    def _client(self, known: _Metadata, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._config.client_id,
            self._config.client_secret,
            token_endpoint_auth_method=known.token_authentication,
            scope=" ".join(self._config.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=_PATIENCE,
            follow_redirects=False,
        )


def _find_http_error() -> type[Exception]:
    """What Authlib's client raises: it takes httpx2 where that is installed, and else httpx."""
    base = next(one for one in AsyncOAuth2Client.__mro__ if one.__module__.startswith("httpx"))
    error: type[Exception] = import_module(base.__module__.partition(".")[0]).HTTPError
    return error


_HttpError: Final = _find_http_error()


def _decode(token: str, keys: KeySet) -> dict[str, Any]:
    with warnings.catch_warnings():
        # RFC 9864 gave EdDSA's kinds names of their own; providers still say EdDSA.
        warnings.simplefilter("ignore", SecurityWarning)
        return dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)


async def _get(url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A JSON object of the provider's; a redirection is not followed."""
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            response.raise_for_status()
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise ValueError("it is too large")
        document = json.loads(body)
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise _silent(error, url) from None
    if not isinstance(document, dict):
        raise _silent(ValueError("it is no object"), url)
    return document


def _silent(error: Exception, url: str = "") -> Unavailable:
    return Unavailable(
        "The sign-in provider cannot be asked now. Try again, or sign in with a password.",
        private=f"The provider {url} failed: {type(error).__name__}: {error}",
        retry_after=10,
    )


def _read_metadata(document: Mapping[str, Any], config: OidcConfig) -> _Metadata:
    """Raises `Unavailable` where the document is not this issuer's, or leads anywhere unsafe."""
    if document.get("issuer") != config.issuer:
        raise _silent(ValueError(f"its issuer is {document.get('issuer')!r}"), config.issuer)
    addresses = {
        key: document.get(f"{key}")
        for key in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    }
    for key, url in addresses.items():
        optional = key == "userinfo_endpoint" and url is None
        if not optional and not (isinstance(url, str) and is_safe(url)):
            raise _silent(ValueError(f"its {key} is not https"), config.issuer)
    return _Metadata(
        authorization=str(addresses["authorization_endpoint"]),
        token=str(addresses["token_endpoint"]),
        keys=str(addresses["jwks_uri"]),
        userinfo=addresses["userinfo_endpoint"],
        says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        token_authentication=_choose_authentication(document, config),
    )


def _choose_authentication(document: Mapping[str, Any], config: OidcConfig) -> str:
    if config.client_secret is None:
        return "none"
    offered = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"


def _read_keys(document: Mapping[str, Any]) -> KeySet:
    """The public keys; those of kinds unknown here are left out, so that others stay usable."""
    keys = document.get("keys")
    usable = []
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, dict) or key.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if key.get("use", "sig") != "sig":
            continue
        try:
            usable.extend(KeySet.import_key_set({"keys": [key]}).keys)
        except (JoseError, ValueError):
            continue
    if not usable:
        raise _silent(ValueError("it has no usable keys"))
    return KeySet(usable)


def _texts(value: object) -> frozenset[str]:
    """Groups: a list of texts, or one text. Whatever else is none."""
    if isinstance(value, str):
        return frozenset({value})
    if not isinstance(value, list) or len(value) > _MOST_GROUPS:
        return frozenset()
    return frozenset(one for one in value if isinstance(one, str))


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(errors="surrogatepass"), other.encode())
