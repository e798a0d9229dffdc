"""The gateway from outside: routes, keys, errors and headers, without a socket."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from cupola.engines.port import Generation
from cupola.gateway.app import Gateway
from cupola.gateway.directory import Directory, Snapshot, serve_alone
from cupola.http.asgi import EXTENSION
from cupola.kit.clock import FakeClock
from cupola.kit.errors import EngineFailed, TooLong
from cupola.wire.canonical import Call, Delta, Event, Failed, Finish, Usage
from tests.gateway.fakes import (
    HELLO,
    KEY,
    OTHER_KEY,
    Caller,
    CallerConnection,
    FixedPool,
    ScriptedReplica,
    caller_of,
    digest,
    gateway_of,
    reaching,
    saying,
    served,
)
from tests.patience import PATIENCE

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
PILOT = "/endpoints/pilot"
CHAT_PATHS = [
    f"{PILOT}/chat/completions",
    f"{PILOT}/v1/chat/completions",
    f"{PILOT}/models/chat/completions",
    f"{PILOT}/v1/models/chat/completions",
    "/v1/chat/completions",
    "/models/chat/completions",
    "/v1/models/chat/completions",
]
OPEN_PATHS = [PILOT, f"{PILOT}/openapi.json", f"{PILOT}/docs", "/healthz", "/readyz"]
SHOWN_PATHS = [f"{PILOT}/info", f"{PILOT}/v1/models", f"{PILOT}/v1/models/Cupola-Pilot",
               "/v1/models", "/v1/models/pilot", "/models/info", f"{PILOT}/v1/info",
               "/v1/info"]  # fmt: skip


@pytest.fixture
def caller() -> Caller:
    return caller_of(saying(*HELLO))[0]


@pytest.mark.parametrize("path", CHAT_PATHS)
async def test_a_chat_is_served_on_every_path_that_clients_use(caller: Caller, path: str):
    """The same answer everywhere; the body's `model` may be any at an endpoint."""
    response = await caller.call(path, {**CHAT, "model": "azureai"})

    assert 200 == response.status
    assert "Hello" == response.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize("path", [*OPEN_PATHS, *SHOWN_PATHS])
async def test_what_can_be_read_is_read(caller: Caller, path: str):
    """With GET, and with HEAD alike."""
    assert 200 == (await caller.call(path)).status
    assert 200 == (await caller.call(path, method="HEAD")).status


@pytest.mark.parametrize(
    "path", ["//endpoints//pilot///chat/completions/", "/endpoints/pilot/chat/completions?a=b"]
)
async def test_joined_urls_are_tolerated(caller: Caller, path: str):
    """Slashes too many, and any query."""
    assert 200 == (await caller.call(path, CHAT)).status


@pytest.mark.parametrize("path", OPEN_PATHS)
async def test_health_and_documentation_need_no_key(caller: Caller, path: str):
    """Probes and browsers have none."""
    assert 200 == (await caller.call(path, key=None)).status


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"api-key": KEY},
        {"api-key": KEY, "authorization": f"Bearer {KEY}"},
        {"api-key": KEY, "authorization": "Bearer wrong"},
        {"api-key": "wrong", "authorization": f"Bearer {KEY}"},
    ],
)
async def test_one_good_key_is_enough(caller: Caller, headers: dict[str, str]):
    """In either header."""
    response = await caller.call(f"{PILOT}/info", headers=headers, key=None)

    assert 200 == response.status


@pytest.mark.parametrize(
    "headers",
    [{}, {"api-key": "wrong"}, {"authorization": f"Basic {KEY}"}, {"api-key": "x" * 10_000},
     {"authorization": "Bearer"}, {"authorization": "Bearer \xff"}],
    ids=range(6),
)  # fmt: skip
@pytest.mark.parametrize("path", CHAT_PATHS[:2])
async def test_without_a_good_key_nothing_is_told(
    caller: Caller, headers: dict[str, str], path: str
):
    """401 with a code and a message, and the body is not even asked for."""
    response = await caller.call(path, b"not JSON", headers=headers, key=None)

    assert 401 == response.status
    assert "Bearer" == response.headers["www-authenticate"]
    assert "key" in response.json["error"]["message"]


async def test_an_unauthorized_call_in_the_words_of_azure(caller: Caller):
    """Byte for byte: clients and their users match on the code."""
    response = await caller.call(f"{PILOT}/info", key=None, headers={"api-key": "wrong"})

    assert "Unauthorized" == response.headers["x-ms-error-code"]
    assert response.body == (
        b'{"error":{"code":"Unauthorized","message":"The key is not valid here. Check it, and the '
        b'endpoint\'s URL.","status":401}}'
    )


@pytest.mark.parametrize("name", ["pilot", "no-such-endpoint"])
async def test_foreign_and_unknown_endpoints_look_alike(caller: Caller, name: str):
    """A key tells nothing about endpoints that are not its own."""
    response = await caller.call(f"/endpoints/{name}/chat/completions", CHAT, key=OTHER_KEY)

    assert 404 == response.status
    assert response.json["error"]["message"] == (
        f"There is no endpoint '{name}' that this key may call."
    )


@pytest.mark.parametrize(
    ("model", "status"),
    [("one", 200), ("M1", 200), ("two", 200), ("three", 404), ("M2", 400), (None, 400)],
)
async def test_project_wide_the_model_chooses(model: str | None, status: int):
    """By the name of an endpoint or of its model, if only one is meant."""
    pools = [FixedPool([ScriptedReplica(saying(*HELLO))]) for _ in range(3)]
    names = [("one", "M1"), ("two", "M2"), ("more", "M2")]
    endpoints = [served(pool, *both) for pool, both in zip(pools, names, strict=True)]
    body = CHAT if model is None else {**CHAT, "model": model}

    response = await Caller(gateway_of(*endpoints)).call("/v1/chat/completions", body)

    assert status == response.status
    if status != 200:
        assert "more, one, two" in response.json["error"]["message"]


async def test_models_are_listed_by_names_that_choose_them():
    """Endpoints of one model are told apart by their own names."""
    endpoints = [served(FixedPool([]), *both) for both in [("one", "M1"), ("two", "M2"),
                                                          ("more", "M2")]]  # fmt: skip
    response = await Caller(gateway_of(*endpoints)).call("/v1/models")

    assert ["more", "M1", "two"] == [card["id"] for card in response.json["data"]]


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", f"{PILOT}/chat/completions", 405, "POST, OPTIONS"),
        ("DELETE", f"{PILOT}/info", 405, "GET, HEAD, OPTIONS"),
        ("POST", f"{PILOT}/v1/models", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", f"{PILOT}/chat/completions", 204, "POST, OPTIONS"),
    ],
)
async def test_methods(caller: Caller, method: str, path: str, status: int, allowed: str):
    """A wrong one is told the right ones."""
    response = await caller.call(path, method=method)

    assert (status, allowed) == (response.status, response.headers["allow"])


@pytest.mark.parametrize("path", ["/", "/x", "/endpoints", f"{PILOT}/chat", f"{PILOT}/v1/x"])
async def test_unknown_paths_are_not_found(caller: Caller, path: str):
    """In the error shape of the API, with its code in the header."""
    response = await caller.call(path)

    assert 404 == response.status
    assert response.json["error"]["message"]
    assert "x-ms-error-code" in response.headers


async def test_on_v1_a_fault_is_told_to_both_clients(caller: Caller):
    """Mistral's parses a list in `detail`, OpenAI's shows the message of `error`."""
    response = await caller.call(f"{PILOT}/v1/chat/completions", {**CHAT, "top_p": 7})

    assert 422 == response.status
    assert ["body", "top_p"] == response.json["detail"][0]["loc"]
    assert "top_p: Input should be less than or equal to 1" == response.json["error"]["message"]


async def test_every_response_can_be_found_again(caller: Caller):
    """A number of ours, which is the reply's id, and the client's own back."""
    headers = {"x-ms-client-request-id": "d9b8e0ca"}
    good = await caller.call(f"{PILOT}/chat/completions", CHAT, headers=headers)
    bad = await caller.call("/nothing", headers=headers)

    assert good.json["id"] == good.headers["x-request-id"]
    assert {"d9b8e0ca"} == {r.headers["x-ms-client-request-id"] for r in (good, bad)}
    assert bad.headers["x-request-id"] != good.headers["x-request-id"]


async def test_a_stream_has_the_headers_of_one(caller: Caller):
    """Nothing between us and the client may keep it back."""
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": True})

    assert "text/event-stream" == response.headers["content-type"]
    assert "no-cache" == response.headers["cache-control"]
    assert "no" == response.headers["x-accel-buffering"]
    assert response.body.endswith(b"data: [DONE]\n\n")


async def test_a_burst_is_one_write_of_many_events(caller: Caller):
    """What is ready together goes out together, each piece still its own event."""
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": True})

    assert 1 == len([piece for piece in response.pieces if piece])
    assert 5 == response.body.count(b"data: ")


async def test_pieces_are_not_kept_back():
    """What is ready is written before more is waited for."""

    async def slowly(request: Generation) -> AsyncGenerator[Event, None]:
        for event in HELLO:
            await asyncio.sleep(0.001)
            yield event

    caller, _ = caller_of(slowly)
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": True})

    assert [2, 1, 2] == [piece.count(b"data: ") for piece in response.pieces]


async def test_calls_get_ids():
    """Nine letters and digits, as Mistral's back ends want them back."""
    caller, _ = caller_of(saying(Call("f", "{}"), Finish("tool_calls", Usage(3, 4))))
    response = await caller.call(f"{PILOT}/chat/completions", CHAT)

    message = response.json["choices"][0]["message"]
    assert "" == message["content"]
    assert 9 == len(message["tool_calls"][0]["id"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_before_anything_was_sent_is_a_status(stream: bool):
    """Also in a stream, and it is not repeated elsewhere if no engine is to blame."""
    caller, replica = caller_of(saying(Failed(TooLong("9000 tokens do not fit in 4096."))))
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": stream})

    assert 400 == response.status
    assert "9000 tokens" in response.json["error"]["message"]
    assert 1 == len(replica.asked)


async def test_a_failure_in_a_stream_is_its_last_event():
    """And the stream ends as streams end."""
    caller, _ = caller_of(saying(Delta("Hel", 1), Failed(EngineFailed("It died."))))
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": True})

    assert 200 == response.status
    assert b'"finish_reason":"error"' in response.body
    assert response.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("events", [[], [Delta("Hel", 1)]], ids=["nothing", "half"])
async def test_an_engine_that_ends_without_an_end_has_failed(events: list[Event], stream: bool):
    """Half an answer is never passed off as a whole one."""
    caller, _ = caller_of(saying(*events))
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": stream})

    failed_late = bool(stream and events)
    assert response.status == (200 if failed_late else 502)
    assert not failed_late or b'"finish_reason":"error"' in response.body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("first", [[], [Delta("Hel", 1)]], ids=["at-once", "in-the-middle"])
async def test_a_caller_who_hangs_up_frees_the_replica(
    caplog: pytest.LogCaptureFixture, first: list[Event], stream: bool
):
    """At once, and it is nobody's error."""

    async def endless(request: Generation) -> AsyncGenerator[Event, None]:
        for event in first:
            yield event
        await asyncio.Event().wait()

    caller, replica = caller_of(endless)
    with caplog.at_level(logging.INFO):
        async with asyncio.timeout(PATIENCE):
            await caller.call(
                f"{PILOT}/chat/completions", {**CHAT, "stream": stream}, hang_up_after=0.01
            )

    assert 0 == replica.open
    assert not caplog.records
    assert 1 == len(caller.told.journeys)


async def test_what_was_used_is_counted_once_each(caller: Caller):
    """Whole or streamed, by the engine's own count."""
    for stream in (False, True):
        await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": stream})

    assert 2 * [Usage(7, 2)] == [each.usage for each in caller.told.journeys]
    assert all(each.counted for each in caller.told.journeys)


async def test_a_fault_of_ours_is_logged_once_and_told_by_its_number(
    caplog: pytest.LogCaptureFixture,
):
    """Without a word of what it was."""

    async def broken(request: Generation) -> AsyncGenerator[Event, None]:
        raise RuntimeError("secret")
        yield

    caller, _ = caller_of(broken)
    response = await caller.call(f"{PILOT}/chat/completions", CHAT)

    assert 500 == response.status
    assert 1 == len(caller.told.journeys)
    assert response.headers["x-request-id"] in response.json["error"]["message"]
    assert "secret" not in response.body.decode()
    assert 1 == len(caplog.records)


async def test_a_large_body_is_refused_unread():
    """By its declared length; the connection ends, for the rest may still come."""
    caller, replica = caller_of(saying(*HELLO), body_bytes=100)
    headers = {"content-length": "101"}
    response = await caller.call(f"{PILOT}/chat/completions", CHAT, headers=headers)

    assert (413, "close") == (response.status, response.headers["connection"])
    assert [] == replica.asked


async def test_a_large_body_without_a_length_is_refused():
    """Counted as it comes."""
    caller, _ = caller_of(saying(*HELLO), body_bytes=100)
    response = await caller.call(f"{PILOT}/chat/completions", b" " * 101)

    assert 413 == response.status


async def test_a_slow_body_is_refused():
    """All of it has one deadline."""
    gateway = caller_of(saying(*HELLO), body_seconds=0.01)[0].gateway
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.004)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"api-key", KEY.encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": CHAT_PATHS[0],
        "headers": headers,
        "extensions": {EXTENSION: CallerConnection(None)},
    }
    await gateway(scope, receive, send)

    assert 408 == sent[0]["status"]
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_an_endpoint_without_a_replica_is_not_healthy():
    """Its own words say why, and a chat waits before it gives up."""
    pool = FixedPool([])
    caller = Caller(gateway_of(served(pool)))

    health = await caller.call(PILOT, key=None)
    chat = await caller.call(f"{PILOT}/chat/completions", CHAT)
    assert (503, b"The model is loading.") == (health.status, health.body)
    assert (503, "5") == (chat.status, chat.headers["retry-after"])
    assert "The model is loading." in chat.json["error"]["message"]
    assert [30.0] == pool.awaited


async def test_readiness_waits_for_the_first_endpoint():
    """A gateway with nothing to serve is ready to serve it."""
    gateways = [gateway_of(served(FixedPool([]))), Gateway(Directory(), digest, FakeClock())]

    assert [503, 200] == [(await Caller(g).call("/readyz")).status for g in gateways]


async def test_a_new_snapshot_counts_from_the_next_request(caller: Caller):
    """Keys and endpoints change without a restart."""
    directory, pilot = Directory(Snapshot()), served(FixedPool([]))
    gateway = Gateway(directory, digest, FakeClock())
    before = await Caller(gateway).call(f"{PILOT}/info")
    directory.replace(
        Snapshot({pilot.endpoint: serve_alone(pilot)}, {digest(KEY): reaching(pilot)})
    )

    assert (401, 200) == (before.status, (await Caller(gateway).call(f"{PILOT}/info")).status)
