"""Routes beyond the chat's own, the deployment's name, and what every reply carries."""

from typing import Any

import openai
import pytest

from cupola.engines.echo import EchoReplica
from cupola.wire.canonical import Call, Finish, Usage
from tests.gateway.fakes import (
    HELLO,
    KEY,
    Caller,
    FixedPool,
    ScriptedReplica,
    caller_of,
    gateway_of,
    saying,
    served,
)
from tests.gateway.test_clients_fake import endpoint

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
PILOT = "/endpoints/pilot"
OPENAI_PATHS = ["/openai/v1/chat/completions", "/openai/deployments/pilot/chat/completions"]
ABSENT = ["/embeddings", "/images/embeddings", "/images/generations", "/models/embeddings"]
ABSENT_OPEN = ["/v1/embeddings", "/openai/v1/embeddings", "/openai/deployments/pilot/embeddings",
               "/v1/images/generations"]  # fmt: skip


@pytest.fixture
def caller() -> Caller:
    return caller_of(saying(*HELLO))[0]


@pytest.mark.parametrize("path", [*(PILOT + path for path in OPENAI_PATHS), *OPENAI_PATHS])
async def test_openais_addresses_lead_to_the_same_chat(caller: Caller, path: str):
    """Project-wide the body or the path names the endpoint; any version, any key header."""
    answer = await caller.call(
        f"{path}?api-version=2024-10-21", {**CHAT, "model": "pilot"}, headers={"api-key": KEY},
        key=None,
    )  # fmt: skip
    fault = await caller.call(path, {**CHAT, "model": "pilot", "top_p": 7})

    assert "Hello" == answer.json["choices"][0]["message"]["content"]
    assert "top_p" == fault.json["error"]["param"]


@pytest.mark.parametrize("path", ["/openai/v1/models", "/openai/v1/models/Cupola-Pilot"])
async def test_openais_addresses_list_models(caller: Caller, path: str):
    """As `/v1` does."""
    short = path.removeprefix("/openai")

    assert (await caller.call(short)).json == (await caller.call(path)).json
    assert (await caller.call(PILOT + short)).json == (await caller.call(PILOT + path)).json


async def test_azure_openais_own_client_is_served():
    """At an endpoint's target URI, and at the server's root with the endpoint as deployment."""
    async with endpoint(EchoReplica()) as url:
        for root in (url, url.removesuffix("/endpoints/pilot")):
            async with openai.AsyncAzureOpenAI(
                azure_endpoint=root, api_key=KEY, api_version="2024-10-21", max_retries=0
            ) as client:
                reply = await client.chat.completions.create(
                    model="pilot", messages=[{"role": "user", "content": "Hi"}]
                )
                assert "Hi" == reply.choices[0].message.content


@pytest.mark.parametrize("path", [*(f"{PILOT}{path}" for path in ABSENT), "/models/embeddings"])
async def test_a_task_that_no_model_does_is_not_found(caller: Caller, path: str):
    """And the message says what the endpoint does, to callers with a key."""
    answer = await caller.call(path, {"input": ["a"]})

    assert (404, "Not Found") == (answer.status, answer.json["error"]["code"])
    assert "'pilot' serves chat-completions (Cupola-Pilot)" in answer.json["error"]["message"]
    assert 401 == (await caller.call(path, {"input": ["a"]}, key=None)).status
    assert 405 == (await caller.call(path)).status


@pytest.mark.parametrize("path", [*(f"{PILOT}{path}" for path in ABSENT_OPEN), *ABSENT_OPEN])
async def test_such_a_task_in_the_words_of_openai(caller: Caller, path: str):
    """Where its clients ask for it."""
    answer = await caller.call(path, {"input": ["a"], "model": "pilot"})

    assert (404, "not_found") == (answer.status, answer.json["error"]["code"])
    assert answer.json["error"]["message"].startswith("No model here does ")


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions", "/info",
                                  "/v1/models", "/score", "/embeddings"])  # fmt: skip
async def test_an_unknown_deployment_is_not_found(caller: Caller, path: str):
    """By its exact letters; the message names the one there is."""
    body = {"input_data": {"input_string": CHAT["messages"]}} if path == "/score" else CHAT
    method = "GET" if path in ("/info", "/v1/models") else "POST"

    for name, status in [("Pilot", 404), ("blue", 404), ("pilot", 200), ("", 200)]:
        answer = await caller.call(
            PILOT + path, body, method=method, headers={"azureml-model-deployment": name}
        )
        assert (status if path != "/embeddings" else 404) == answer.status
        assert status == 200 or f"no deployment '{name}'" in answer.json["error"]["message"]


async def test_project_wide_the_deployment_is_that_of_the_model():
    """Known once the body has said which endpoint is meant."""
    pools = [FixedPool([ScriptedReplica(saying(*HELLO))]) for _ in range(2)]
    both = Caller(gateway_of(served(pools[0], "one", "M1"), served(pools[1], "two", "M2")))
    statuses = [
        (
            await both.call(
                "/v1/chat/completions",
                {**CHAT, "model": "M1"},
                headers={"azureml-model-deployment": name},
            )
        ).status
        for name in ("one", "two")
    ]

    assert [200, 404] == statuses


async def test_another_deployment_in_the_path_is_not_found(caller: Caller):
    """In OpenAI's words, and not that of another endpoint."""
    answer = await caller.call(f"{PILOT}/openai/deployments/foreign/chat/completions", CHAT)

    assert (404, "not_found") == (answer.status, answer.json["error"]["code"])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_models_reply_says_which_deployment_it_is_of(caller: Caller, stream: bool):
    """Whole or streamed, and when the model refuses."""
    good = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": stream})
    bad = await caller.call(f"{PILOT}/chat/completions", {"messages": CHAT["messages"] * 9999})

    assert "pilot" == good.headers["x-ms-deployment-name"] == bad.headers["x-ms-deployment-name"]
    assert 400 == bad.status


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{PILOT}/chat/completions", CHAT),
        ("POST", f"{PILOT}/v1/chat/completions", {**CHAT, "stream": True}),
        ("POST", f"{PILOT}/chat/completions", b"{"),
        ("POST", f"{PILOT}/chat/completions", {**CHAT, "foo": 1}),
        ("POST", f"{PILOT}/embeddings", {}),
        ("GET", f"{PILOT}/info", None),
        ("GET", PILOT, None),
        ("HEAD", PILOT, None),
        ("GET", f"{PILOT}/docs", None),
        ("GET", f"{PILOT}/openapi.json", None),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/nothing", None),
        ("DELETE", f"{PILOT}/info", None),
        ("OPTIONS", f"{PILOT}/info", None),
        ("OPTIONS", "/nothing", None),
    ],
)
@pytest.mark.parametrize("key", [KEY, None, "wrong"], ids=["key", "no-key", "wrong-key"])
async def test_every_reply_has_two_names(method: str, path: str, body: Any, key: str | None):
    """Ours, which no other reply has, and the caller's back."""
    caller, _ = caller_of(saying(*HELLO))
    headers = {"x-ms-client-request-id": "d9b8e0ca-9d6f"}
    answers = [
        await caller.call(path, body, method=method, headers=headers, key=key) for _ in range(2)
    ]

    assert 2 == len({answer.headers["x-request-id"] for answer in answers})
    assert {"d9b8e0ca-9d6f"} == {answer.headers["x-ms-client-request-id"] for answer in answers}


def score(*messages: Any, **parameters: Any) -> dict[str, Any]:
    return {"input_data": {"input_string": list(messages), "parameters": parameters}}


HI = {"role": "user", "content": "Hi"}


async def test_score_answers_with_a_text(caller: Caller):
    """Nothing else, and never in pieces."""
    answer = await caller.call(f"{PILOT}/score", score(HI, stream=True, temperature=0.5))

    assert b'{"output":"Hello"}' == answer.body
    assert "application/json" == answer.headers["content-type"]


@pytest.mark.parametrize(
    ("parameters", "attribute", "value"),
    [
        ({"max_new_tokens": 5}, "max_tokens", 5),
        ({"max_gen_len": "6"}, "max_tokens", 6),
        ({"max_gen_len": 6, "max_tokens": 7}, "max_tokens", 7),
        ({"do_sample": False, "temperature": 0.9}, "temperature", 0.0),
        ({"do_sample": True, "temperature": 0.9}, "temperature", 0.9),
        ({"top_p": 0.5, "return_full_text": True, "details": 1, "_batch_size": 1}, "top_p", 0.5),
        ({"stop": "x", "max_new_tokens": None}, "stop", ("x",)),
    ],
)
async def test_scores_own_parameters(parameters: Any, attribute: str, value: Any):
    """Older names are read, and what is on nobody's list is dropped."""
    caller, replica = caller_of(saying(*HELLO))
    answer = await caller.call(f"{PILOT}/score", score(HI, **parameters))

    assert 200 == answer.status
    assert value == getattr(replica.asked[0], attribute)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (score(HI, temperature=3), 422, '["body","input_data","parameters","temperature"]'),
        (score({"role": "x"}), 422, '["body","input_data","input_string",0,"role"]'),
        (score(HI, {"role": "assistant", "content": "a"}), 400, "input_data.input_string[1]"),
        (score(HI, n=10**6), 422, '["body","input_data","parameters","n"]'),
        (score(), 422, "empty list"),
        (score("a text"), 422, "not of texts"),
        ({"input_data": {"input_string": "a text"}}, 422, "not of texts"),
        ({"input_data": {"input_string": {"a": 1}}}, 422, "valid list"),
        ({"input_data": {"input_string": 1}}, 422, "valid list"),
        ({"input_data": {"parameters": {}}}, 422, '["body","input_data","input_string"]'),
        ({"input_data": ["a text"], "params": {}}, 400, "['params'] are not known here"),
        ({"input_data": ["a text"]}, 422, "valid dictionary"),
        (CHAT, 400, "['messages'] are not known here"),
        ({"input_data": {"input_string": [HI], "parameters": 3}}, 422, "valid dictionary"),
        (score(HI, do_sample="maybe"), 422, "do_sample"),
        (b"{", 422, '["body",1]'),
    ],
)
async def test_score_says_what_is_wrong(caller: Caller, body: Any, status: int, word: str):
    """And where in this form of the body, instead of an empty success."""
    answer = await caller.call(f"{PILOT}/score", body)

    assert status == answer.status
    assert word in answer.body.decode()


async def test_score_is_an_endpoints_own(caller: Caller):
    """Its body names no model."""
    assert 404 == (await caller.call("/score", score(HI))).status


async def test_a_score_without_text_is_empty():
    """A reply that is all calls has none."""
    caller, _ = caller_of(saying(Call("f", "{}"), Finish("tool_calls", Usage(3, 4))))

    assert {"output": ""} == (await caller.call(f"{PILOT}/score", score(HI))).json
