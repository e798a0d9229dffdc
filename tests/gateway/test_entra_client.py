"""Microsoft's own client with a token instead of a key, over TLS: it sends tokens no other way."""

import asyncio
import http.client
import http.server
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import UserMessage
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from cupola.deployments.model import AuthMode
from cupola.engines.echo import EchoReplica
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Directory, Snapshot, serve_alone
from cupola.http.server import Server, listen
from cupola.kit.clock import SystemClock
from cupola.tokens.model import By, Grantee, Issuer, Policy
from cupola.tokens.service import Tokens
from cupola.tokens.store import HttpKeySource
from tests.gateway.fakes import FixedPool, digest, served
from tests.http.certificates import make_certificate
from tests.tokens.issuer import LocalIssuer, claims, ec_key, local_issuer, publish, sign


class Credential:
    """Gets its tokens from the local issuer, as `azure-identity` would from Entra."""

    def __init__(self, issuer: LocalIssuer, **others: Any) -> None:
        self._issuer = issuer
        self._others = others
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        expires = int(SystemClock().now()) + 3600
        usual = {"exp": expires, "scp": "user_impersonation"}
        payload = claims(self._issuer.url, **{**usual, **self._others})
        return AccessToken(sign(payload, ec_key("e"), "ES256"), expires)


class Front(http.server.BaseHTTPRequestHandler):
    """Ends TLS, and hands the request on as it is: a reverse proxy in miniature."""

    behind: ClassVar[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        connection = http.client.HTTPConnection(self.behind)
        connection.request("POST", self.path, body, dict(self.headers))
        reply = connection.getresponse()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.read())
        connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def over_tls(behind: str, context: ssl.SSLContext) -> Iterator[str]:
    """An address that speaks TLS, in front of one that does not."""
    handler = type("FrontOfOne", (Front,), {"behind": behind})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def platform(issuer: LocalIssuer, folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """The URL of an endpoint that takes the issuer's tokens, and who vouches for it."""
    replica = EchoReplica()
    await replica.start()
    pilot = serve_alone(served(FixedPool([replica])), AuthMode.TOKEN)
    grantee = Grantee(issuer.url, By.SUBJECT, "sub-1")
    snapshot = Snapshot({pilot.name: pilot}, {}, {grantee: (frozenset([pilot.name]),)})
    policy = Policy((Issuer(issuer.url, permissions=("user_impersonation",)),))
    clock = SystemClock()
    verifier = Tokens(policy, HttpKeySource(), clock)
    gateway = Gateway(Directory(snapshot), digest, clock, verifier=verifier)
    context, authority = make_certificate(folder)
    with listen("127.0.0.1", 0) as socket:
        socket.listen()
        server = Server(gateway, socket)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.run())
            with over_tls("{}:{}".format(*socket.getsockname()), context) as url:
                yield f"{url}/endpoints/pilot", authority
            server.stop()


def ask(url: str, credential: Credential, authority: Path) -> str:
    with ChatCompletionsClient(
        url, credential, connection_verify=str(authority), retry_total=0
    ) as client:
        try:
            messages: list[Any] = [UserMessage("Good morning")]
            reply = client.complete(messages=messages)
        except HttpResponseError as error:
            return f"{type(error).__name__}: {error.message}"
        return str(reply.choices[0].message.content)


async def call(
    folder: Path, times: int = 1, **others: Any
) -> tuple[list[str], LocalIssuer, Credential]:
    """What the client says of `times` replies, with whom it got its tokens from."""
    async with local_issuer() as issuer, platform(issuer, folder) as (url, authority):
        issuer.keys = publish(ec_key("e"))
        credential = Credential(issuer, **others)
        said = [await asyncio.to_thread(ask, url, credential, authority) for _ in range(times)]
        return said, issuer, credential


async def test_the_client_is_served_with_a_token(tmp_path: Path):
    """It asks its credential for the service's own scope, and is answered."""
    said, issuer, credential = await call(tmp_path, times=2)

    assert ["Good morning"] * 2 == said
    assert {"https://ml.azure.com/.default"} == set(credential.scopes)
    assert ["/.well-known/openid-configuration", "/keys"] == issuer.asked


@pytest.mark.parametrize(
    ("others", "error", "words"),
    [
        ({"aud": "https://other.example"}, ClientAuthenticationError, "'https://ml.azure.com'"),
        ({"sub": "sub-2"}, HttpResponseError, "gives no right to call the endpoint 'pilot'"),
        ({"scp": "other"}, HttpResponseError, "'user_impersonation'"),
    ],
    ids=str,
)
async def test_the_client_reads_what_is_wrong(
    tmp_path: Path, others: dict[str, Any], error: type[HttpResponseError], words: str
):
    """In the exception's message."""
    said, *_ = await call(tmp_path, **others)

    assert error.__name__ == said[0].partition(":")[0]
    assert words in said[0]
