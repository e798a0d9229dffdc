"""An issuer of tokens: keys, what it signs, and a real server that publishes the keys."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from cupola.http.asgi import Receive, Scope, Send
from cupola.http.server import Server, listen, url_of

AUDIENCE = "https://ml.azure.com"
NOW = 1_700_000_000
"""Where `FakeClock` begins."""
PrivateKey = RSAKey | ECKey | OKPKey | OctKey


@cache
def rsa_key(kid: str, bits: int = 2048) -> RSAKey:
    """Made once a run: it takes a tenth of a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a short key is meant to be refused
        return RSAKey.generate_key(bits, {"kid": kid, "use": "sig"})


@cache
def ec_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


def claims(issuer: str = "https://issuer.example", **others: Any) -> dict[str, Any]:
    """Of a token for an hour; None takes a claim out."""
    usual = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "sub-1",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3600,
        "roles": ["Inference.Call"],
    }
    return {name: value for name, value in {**usual, **others}.items() if value is not None}


def sign(payload: Mapping[str, Any], key: PrivateKey, algorithm: str = "RS256", **head: Any) -> str:
    """A token; entries of the head that are None are left out."""
    header = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **head}
    return jws.serialize_compact(
        {name: value for name, value in header.items() if value is not None},
        msgspec.json.encode(payload),
        key,
        registry=jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False),
    )


def publish(*keys: PrivateKey, **others: Any) -> list[Mapping[str, Any]]:
    """Their public halves, as an issuer writes them."""
    return [{**key.as_dict(private=False), **others} for key in keys]


@dataclass
class LocalIssuer:
    """What the server at `url` says."""

    url: str
    keys: list[Mapping[str, Any]] = field(default_factory=list)
    names: str = ""
    """The issuer of its discovery document, if that is to be wrong."""
    down: bool = False
    garbage: bytes = b""
    """Said instead of everything, if not empty."""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.down:
            return 503, b"{}"
        if self.garbage:
            return 200, self.garbage
        if path == "/.well-known/openid-configuration":
            document = {"issuer": self.names or self.url, "jwks_uri": f"{self.url}/keys"}
            return 200, msgspec.json.encode(document)
        if path == "/keys":
            return 200, msgspec.json.encode({"keys": self.keys})
        return 404, b"{}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = self.answer(scope["path"])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def local_issuer() -> AsyncIterator[LocalIssuer]:
    """An issuer on a port of its own."""
    with listen("127.0.0.1", 0) as socket:
        socket.listen()
        issuer = LocalIssuer(url_of(socket))
        server = Server(issuer, socket)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.run())
            try:
                yield issuer
            finally:
                server.stop()
