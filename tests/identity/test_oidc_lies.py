"""What a provider, or somebody in its place, may say that must not be believed."""

import hmac
import json
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from cupola.http.server import Server, listen, url_of
from cupola.identity.mapping import OidcConfig
from cupola.identity.model import Arrival, Vouched
from cupola.identity.oidc import OidcProvider
from cupola.kit.clock import SystemClock
from cupola.kit.errors import CupolaError, Forbidden, Unauthenticated, Unavailable
from cupola.kit.tasks import supervise

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})

Key = RSAKey | ECKey | OKPKey
Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass
class Liar:
    """A provider that signs whatever it is told to."""

    issuer: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Replaces what the discovery document says."""
    key: Key = field(default_factory=lambda: RSA)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "rsa"})
    change: Change = dict
    userinfo: dict[str, Any] = field(default_factory=dict)
    published: list[Key] = field(default_factory=lambda: [RSA, EC, ED])
    key_requests: int = 0
    nonce: str = ""
    redeemed: dict[str, str] = field(default_factory=dict)

    def write_token(self) -> str:
        now = int(time.time())  # noqa: TID251  another machine's clock
        claims = {
            "iss": self.issuer,
            "sub": "7",
            "aud": "cupola",
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "ada@example.com",
            "email_verified": True,
            "groups": ["staff"],
        }
        if self.header["alg"] in ("none", "HS256"):
            return _forge(self.header, claims)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has new names by now
            algorithms = [self.header["alg"]]
            return jwt.encode(self.header, self.change(claims), self.key, algorithms=algorithms)


def _forge(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """By hand, since joserfc helps nobody with it: unsigned, or with the public key as a secret."""
    parts = [_encode(json.dumps(part).encode()) for part in (header, claims)]
    said = ".".join(parts)
    if header["alg"] == "none":
        return f"{said}."
    public = RSA.as_pem(private=False)
    return f"{said}.{_encode(hmac.digest(public, said.encode(), 'sha256'))}"


def _encode(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def _application(liar: Liar) -> FastAPI:
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    async def discover() -> dict[str, Any]:
        at = liar.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/keys",
            "userinfo_endpoint": f"{at}/userinfo",
        } | liar.metadata

    @app.get("/keys")
    async def show_keys() -> dict[str, Any]:
        liar.key_requests += 1
        odd = [{"kty": "oct", "k": "AAAA", "kid": "rsa"}, {"kty": "RSA"}, "nonsense"]
        return {"keys": [*odd, *(key.as_dict(private=False) for key in liar.published)]}

    @app.post("/token")
    async def redeem(request: Request) -> Response:
        liar.redeemed = {"body": (await request.body()).decode()}
        return JSONResponse(
            {"access_token": "access", "token_type": "Bearer", "id_token": liar.write_token()}
        )

    @app.get("/userinfo")
    async def tell(request: Request) -> dict[str, Any]:
        assert "Bearer access" == request.headers["authorization"]
        return liar.userinfo

    @app.get("/moved/.well-known/openid-configuration")
    async def move() -> Response:
        return RedirectResponse("/.well-known/openid-configuration")

    return app


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    liar = Liar()
    with listen("127.0.0.1", 0) as socket:
        socket.listen()
        liar.issuer = url_of(socket)
        server = Server(_application(liar), socket)
        task = supervise(server.run(), name="liar")
        yield liar
        server.stop()
        await task


async def sign_in(liar: Liar, **config: Any) -> Vouched:
    """One sign-in, with all that is well on our side."""
    return await arrive(
        OidcProvider(OidcConfig(liar.issuer, "cupola", **config), SystemClock()), liar
    )


async def arrive(provider: OidcProvider, liar: Liar) -> Vouched:
    departure = await provider.depart("http://127.0.0.1:1/callback")
    liar.nonce = departure.nonce
    return await provider.arrive(departure, Arrival("code", departure.state))


async def test_who_says_the_truth_is_believed(liar: Liar):
    """Issuer, subject and groups; and the code is redeemed with the verifier, not with a secret."""
    vouched = await sign_in(liar)

    assert Vouched(liar.issuer, "7", "ada@example.com", frozenset({"staff"})) == vouched
    assert "code_verifier=" in liar.redeemed["body"]
    assert "client_secret" not in liar.redeemed["body"]


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("PS256", RSA), ("ES256", EC), ("EdDSA", ED), ("Ed25519", ED)],
    ids=["PS256", "ES256", "EdDSA", "Ed25519"],
)
async def test_each_allowed_signature_is_read(liar: Liar, algorithm: str, key: Key):
    """With the provider's keys of every kind."""
    liar.key, liar.header = key, {"alg": algorithm, "kid": key.kid}

    assert "7" == (await sign_in(liar)).subject


LIES: dict[str, Change] = {
    "another nonce": lambda claims: claims | {"nonce": "other"},
    "no nonce": lambda claims: {k: v for k, v in claims.items() if k != "nonce"},
    "a nonce of another kind": lambda claims: claims | {"nonce": [claims["nonce"]]},
    "another audience": lambda claims: claims | {"aud": "other"},
    "no audience": lambda claims: {k: v for k, v in claims.items() if k != "aud"},
    "several audiences": lambda claims: claims | {"aud": ["cupola", "other"]},
    "another party": lambda claims: claims | {"azp": "other"},
    "another issuer": lambda claims: claims | {"iss": "https://accounts.example.com"},
    "an issuer with a slash": lambda claims: claims | {"iss": claims["iss"] + "/"},
    "expired": lambda claims: claims | {"exp": claims["exp"] - 400},
    "no end": lambda claims: {k: v for k, v in claims.items() if k != "exp"},
    "written tomorrow": lambda claims: claims | {"iat": claims["iat"] + 86400},
    "no subject": lambda claims: {k: v for k, v in claims.items() if k != "sub"},
    "an empty subject": lambda claims: claims | {"sub": ""},
    "a control character": lambda claims: claims | {"sub": "7\x00"},
    "a subject of another kind": lambda claims: claims | {"sub": 7},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_not_believed(liar: Liar, lie: str):
    """Each claim that says for whom, by whom and when; the caller learns nothing of it."""
    liar.change = LIES[lie]
    with pytest.raises(Unauthenticated) as refused:
        await sign_in(liar)

    assert "The sign-in was not completed. Begin again from the sign-in page." == (
        refused.value.public
    )


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("none", RSA), ("HS256", RSA), ("RS256", OTHER), ("RS384", RSA)],
    ids=["none", "public-key-as-secret", "another-key", "not-allowed"],
)
async def test_a_signature_of_another_is_refused(liar: Liar, algorithm: str, key: Key):
    """Whoever knows only what is public can sign nothing."""
    liar.key, liar.header = key, {"alg": algorithm, "kid": "rsa"}
    with pytest.raises(Unauthenticated):
        await sign_in(liar)


async def test_unknown_keys_are_asked_for_once(liar: Liar):
    """Made-up key ids do not make us ask the provider again and again."""
    provider = OidcProvider(OidcConfig(liar.issuer, "cupola"), SystemClock())
    liar.header = {"alg": "RS256", "kid": "made up"}
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await arrive(provider, liar)

    assert 1 == liar.key_requests


async def test_userinfo_of_somebody_else_is_refused(liar: Liar):
    """Groups that only userinfo tells count if it is about the same subject."""
    liar.change = lambda claims: {k: v for k, v in claims.items() if k != "groups"}
    liar.userinfo = {"sub": "7", "groups": ["admins"], "iss": "other"}
    vouched = await sign_in(liar, administrators=frozenset({"admins"}))
    liar.userinfo = {"sub": "8", "groups": ["admins"]}
    with pytest.raises(Unauthenticated):
        await sign_in(liar)

    assert (frozenset({"admins"}), True) == (vouched.groups, vouched.administrator)


@pytest.mark.parametrize("groups", [None, 7, {"a": 1}, [1, None, ["staff"]], ["g"] * 1001])
async def test_groups_of_another_shape_are_none(liar: Liar, groups: object):
    """And so nobody gets anything by them."""
    liar.change = lambda claims: claims | {"groups": groups}

    assert frozenset() == (await sign_in(liar)).groups


@pytest.mark.parametrize(
    "email",
    [
        {"email": "ada@example.org"},
        {"email": "ada@example.com.evil.org"},
        {"email": "ada@example.com", "email_verified": False},
        {"email": "ada@example.com", "email_verified": "true"},
        {"email": None},
    ],
)
async def test_a_domain_must_be_let_in(liar: Liar, email: dict[str, Any]):
    """By an address that the provider has verified."""
    domains = frozenset({"example.com"})
    assert "7" == (await sign_in(liar, allowed_domains=domains)).subject
    liar.change = lambda claims: claims | email
    with pytest.raises(Forbidden):
        await sign_in(liar, allowed_domains=domains)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example.com"},
        {"token_endpoint": "http://far.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"jwks_uri": "https://user@far.example.com/keys"},
    ],
    ids=str,
)
async def test_a_document_that_leads_astray_is_refused(liar: Liar, metadata: dict[str, Any]):
    """Another issuer's, or with an address that others could read or write on the way."""
    liar.metadata = metadata
    with pytest.raises(Unavailable) as refused:
        await sign_in(liar)

    assert "example.com" not in refused.value.public


async def test_a_silent_provider_is_said_so(liar: Liar):
    """503 and the other way in, not a fault; a redirection is not followed."""
    for issuer in ("http://127.0.0.1:1", f"{liar.issuer}/moved", f"{liar.issuer}/nowhere"):
        provider = OidcProvider(OidcConfig(issuer, "cupola"), SystemClock())
        with pytest.raises(Unavailable) as refused:
            await provider.depart("http://127.0.0.1:1/callback")
        assert "password" in refused.value.public
    liar.metadata = {"token_endpoint": "http://127.0.0.1:1/token"}
    with pytest.raises(CupolaError):
        await sign_in(liar)


async def test_what_leaves_has_all_that_protects_it(liar: Liar):
    """State and nonce, never the same; the verifier's hash, not the verifier."""
    provider = OidcProvider(OidcConfig(liar.issuer, "cupola"), SystemClock())
    one, other = [await provider.depart("http://127.0.0.1:1/callback") for _ in range(2)]

    assert "code_challenge_method=S256" in one.url
    assert f"state={one.state}" in one.url
    assert f"nonce={one.nonce}" in one.url
    assert one.verifier not in one.url
    assert 6 == len({one.state, other.state, one.nonce, other.nonce, one.verifier, other.verifier})


async def test_another_state_is_refused_before_anything_is_asked(liar: Liar):
    """No code is redeemed for somebody else's answer."""
    provider = OidcProvider(OidcConfig(liar.issuer, "cupola"), SystemClock())
    departure = await provider.depart("http://127.0.0.1:1/callback")
    for state in ("", None, "other", "ü"):
        with pytest.raises(Unauthenticated):
            await provider.arrive(departure, Arrival("code", state))

    assert {} == liar.redeemed
