"""Who may call what: keys, project keys and tokens, at endpoints that take one or the other."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from cupola.deployments.model import AuthMode
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Caller as Grant
from cupola.gateway.directory import Directory, Snapshot, serve_alone
from cupola.ids import EndpointName
from cupola.testing import FakeClock, MemoryKeySource
from cupola.tokens.model import By, Grantee, Issuer, Policy
from cupola.tokens.service import Tokens
from tests.gateway.fakes import (
    HELLO,
    KEY,
    OTHER_KEY,
    Caller,
    FixedPool,
    Response,
    ScriptedReplica,
    digest,
    saying,
    served,
)
from tests.tokens.issuer import NOW, claims, publish, rsa_key, sign
from tests.tokens.test_service import FORGED

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
ISSUER = Issuer("https://issuer.example")
MINE, THEIRS = "mine", "theirs"
TOKEN_MINE, TOKEN_THEIRS = "token-mine", "token-theirs"
PROJECT_KEY = "P" * 40
SIGNED = rsa_key("a")
GOOD = sign(claims(), SIGNED)
STRANGER = sign(claims(sub="sub-2", roles=[]), SIGNED)
EXPIRED = sign(claims(exp=NOW - 100), SIGNED)


def names(*each: str) -> tuple[frozenset[EndpointName], ...]:
    return (frozenset(map(EndpointName, each)),)


def snapshot() -> Snapshot:
    """Two endpoints of one project and two of another; of each, one takes tokens."""
    modes = {MINE: AuthMode.KEY, THEIRS: AuthMode.KEY,
             TOKEN_MINE: AuthMode.TOKEN, TOKEN_THEIRS: AuthMode.TOKEN}  # fmt: skip
    endpoints = [
        serve_alone(served(FixedPool([ScriptedReplica(saying(*HELLO))]), name, f"M-{name}"), mode)
        for name, mode in modes.items()
    ]
    return Snapshot(
        {each.name: each for each in endpoints},
        {
            digest(KEY): Grant(names(MINE)),
            digest(OTHER_KEY): Grant(names(THEIRS)),
            digest("t" * 32): Grant(names(TOKEN_MINE)),
            digest(PROJECT_KEY): Grant(names(MINE, TOKEN_MINE), expires=NOW + 100),
        },
        {
            Grantee(ISSUER.issuer, By.SUBJECT, "sub-1"): names(TOKEN_MINE),
            Grantee("https://other.example", By.SUBJECT, "sub-2"): names(TOKEN_MINE),
        },
    )


@dataclass
class Platform:
    """A gateway with the snapshot, and an issuer."""

    clock: FakeClock = field(default_factory=FakeClock)
    source: MemoryKeySource = field(default_factory=lambda: MemoryKeySource(publish(SIGNED)))

    def __post_init__(self) -> None:
        self.tokens = Tokens(Policy((ISSUER,)), self.source, self.clock)
        self.directory = Directory(snapshot())
        gateway = Gateway(self.directory, digest, self.clock, verifier=self.tokens)
        self.caller = Caller(gateway)

    async def chat(self, endpoint: str, **headers: str) -> Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/endpoints/{endpoint}/chat/completions"
        return await self.caller.call(path, CHAT, headers=sent, key=None)


@pytest.fixture
def platform() -> Platform:
    return Platform()


EXPECTED: Mapping[str, tuple[int, int, int, int, int]] = {
    # what is presented:  mine, theirs, token-mine, token-theirs, nothing of that name
    f"Bearer {KEY}": (200, 404, 404, 404, 404),
    f"Bearer {OTHER_KEY}": (404, 200, 404, 404, 404),
    "Bearer " + "t" * 32: (404, 404, 401, 404, 404),
    f"Bearer {PROJECT_KEY}": (200, 404, 401, 404, 404),
    f"Bearer {GOOD}": (401, 401, 200, 403, 404),
    f"bearer  {GOOD} ": (401, 401, 200, 403, 404),
    f"Bearer {STRANGER}": (401, 401, 403, 403, 404),
    f"Bearer {EXPIRED}": (401, 401, 401, 401, 401),
    "Bearer wrong": (401, 401, 401, 401, 401),
    "Bearer ": (401, 401, 401, 401, 401),
    f"Basic {KEY}": (401, 401, 401, 401, 401),
    "": (401, 401, 401, 401, 401),
}


@pytest.mark.parametrize(("sent", "statuses"), EXPECTED.items(), ids=[f"{k:.20}" for k in EXPECTED])
async def test_who_may_call_what(
    platform: Platform, sent: str, statuses: tuple[int, int, int, int, int]
):
    """The table of docs/reference/authentication.md, all of it."""
    headers = {"authorization": sent} if sent else {}
    got = [
        (await platform.chat(name, **headers)).status
        for name in (MINE, THEIRS, TOKEN_MINE, TOKEN_THEIRS, "nothing")
    ]

    assert statuses == tuple(got)


async def test_a_refusal_says_what_is_expected(platform: Platform):
    """And in a header, as clients that can renew a token read it."""
    cases = [
        (MINE, GOOD, "takes a key, not a token", 'Bearer error="invalid_token"'),
        (TOKEN_MINE, PROJECT_KEY, "takes a token", 'Bearer error="invalid_token"'),
        (TOKEN_MINE, "wrong", "takes a token", 'Bearer error="invalid_token"'),
        (TOKEN_MINE, EXPIRED, "has expired", 'Bearer error="invalid_token"'),
        (TOKEN_MINE, STRANGER, "no right to call", 'Bearer error="insufficient_scope"'),
        (TOKEN_MINE, "", "takes a token", "Bearer"),
        (MINE, "", "No key was sent", "Bearer"),
    ]
    for endpoint, sent, words, challenge in cases:
        headers = {"authorization": f"Bearer {sent}"} if sent else {}
        answer = await platform.chat(endpoint, **headers)
        assert words in answer.json["error"]["message"]
        assert challenge == answer.headers["www-authenticate"]


async def test_either_header_counts_for_keys(platform: Platform):
    """A token beside a good key does no harm; a token in `api-key` is none."""
    assert 200 == (await platform.chat(MINE, api_key=KEY)).status
    assert 200 == (await platform.chat(MINE, authorization=f"Bearer {GOOD}", api_key=KEY)).status
    assert 200 == (await platform.chat(MINE, authorization="Bearer no", api_key=KEY)).status
    assert 401 == (await platform.chat(TOKEN_MINE, api_key=GOOD)).status
    both = await platform.chat(TOKEN_MINE, authorization=f"Bearer {GOOD}", api_key=GOOD)
    assert 200 == both.status


async def test_a_projects_key_expires_by_the_clock(platform: Platform):
    """At its second, without anybody pushing anything; the message says what to do."""
    key = f"Bearer {PROJECT_KEY}"
    platform.clock.advance(99.9)
    assert 200 == (await platform.chat(MINE, authorization=key)).status
    platform.clock.advance(0.1)
    answer = await platform.chat(MINE, authorization=key)

    assert 401 == answer.status
    assert "The key has expired. Make a new one" in answer.json["error"]["message"]


async def test_routes_without_endpoint_reach_what_takes_the_credential(platform: Platform):
    """A project's key those with keys, a token those with tokens."""
    for sent, name in [(PROJECT_KEY, MINE), (GOOD, TOKEN_MINE)]:
        models = await platform.caller.call("/v1/models", key=sent)
        chat = await platform.caller.call("/v1/chat/completions", CHAT, key=sent)
        assert [f"M-{name}"] == [each["id"] for each in models.json["data"]]
        assert (200, name) == (chat.status, chat.headers["x-ms-deployment-name"])
    assert [] == (await platform.caller.call("/v1/models", key=STRANGER)).json["data"]


async def test_rights_change_under_a_remembered_token(platform: Platform):
    """What a token proves is remembered, what that allows is not."""
    before = await platform.chat(TOKEN_MINE, authorization=f"Bearer {GOOD}")
    old = platform.directory.snapshot
    platform.directory.replace(Snapshot(old.endpoints, old.keys))
    after = await platform.chat(TOKEN_MINE, authorization=f"Bearer {GOOD}")

    assert (200, 403) == (before.status, after.status)
    assert 1 == platform.tokens.statistics().remembered


async def test_an_issuer_that_is_down_is_no_fault_of_the_caller(platform: Platform):
    """503 with a time to come back, until its keys have been had once."""
    platform.source.down = True
    answer = await platform.chat(TOKEN_MINE, authorization=f"Bearer {GOOD}")

    assert (503, "10") == (answer.status, answer.headers["retry-after"])


async def test_where_no_issuer_is_accepted():
    """Whoever runs the server is the one who can mend it."""
    caller = Caller(Gateway(Directory(snapshot()), digest, FakeClock()))
    answer = await caller.call(f"/endpoints/{TOKEN_MINE}/info", key=GOOD)

    assert 401 == answer.status
    assert "identity.toml" in answer.json["error"]["message"]


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_garbage_is_never_a_fault_of_ours(platform: Platform, token: str):
    """At any endpoint, in any header, on any route."""
    raw = token.encode("utf-8", errors="surrogatepass").decode("latin-1")
    for headers in ({"authorization": f"Bearer {raw}"}, {"api-key": raw}):
        for path in ("/v1/models", *(f"/endpoints/{name}/info" for name in (MINE, TOKEN_MINE))):
            answer = await platform.caller.call(path, headers=headers, key=None)
            assert 401 == answer.status, path


async def test_many_at_once_are_answered_with_one_question(platform: Platform):
    """The first requests of a morning."""
    answers = await asyncio.gather(
        *[platform.chat(TOKEN_MINE, authorization=f"Bearer {GOOD}") for _ in range(20)]
    )

    assert {200} == {answer.status for answer in answers}
    assert 1 == platform.source.fetched


async def test_the_document_of_an_endpoint_with_tokens(platform: Platform):
    """Says so, and that a token may lack the right."""
    document = (await platform.caller.call(f"/endpoints/{TOKEN_MINE}/openapi.json")).json
    schemes = document["components"]["securitySchemes"]

    assert {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}} == schemes
    assert [{"bearer": []}] == document["security"]
    assert "403" in document["paths"]["/chat/completions"]["post"]["responses"]
