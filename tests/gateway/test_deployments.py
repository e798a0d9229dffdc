"""Endpoints with several deployments: who answers, and what is said of them."""

from collections import Counter
from dataclasses import replace

import pytest

from cupola.gateway.app import Gateway
from cupola.gateway.directory import Directory, Served, ServedEndpoint, Snapshot
from cupola.gateway.limits import Limits
from cupola.ids import DeploymentName, EndpointName
from cupola.kit.clock import FakeClock
from tests.gateway.fakes import (
    HELLO,
    KEY,
    Caller,
    FixedPool,
    Response,
    ScriptedReplica,
    digest,
    reaching,
    saying,
    served,
)

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
PILOT = "/endpoints/pilot"
PATH = f"{PILOT}/chat/completions"
HEADER = "azureml-model-deployment"


def deployment(name: str, *, ready: bool = True) -> Served:
    """Of the endpoint `pilot`, with a model of its own."""
    pool = FixedPool([ScriptedReplica(saying(*HELLO))] if ready else [])
    return replace(served(pool, model=f"Model-{name}"), deployment=DeploymentName(name))


def caller_of(traffic: dict[str, int], *deployments: Served) -> Caller:
    weights = {DeploymentName(name): share for name, share in traffic.items()}
    pilot = ServedEndpoint(EndpointName("pilot"), deployments, weights)
    snapshot = Snapshot({pilot.name: pilot}, {digest(KEY): reaching(served(FixedPool([])))})
    limits = Limits(wait_seconds=0.01)
    return Caller(Gateway(Directory(snapshot), digest, FakeClock(), limits))


@pytest.fixture
def caller() -> Caller:
    return caller_of({"blue": 90, "green": 10}, deployment("blue"), deployment("green"))


def answered(response: Response) -> str:
    return response.headers["x-ms-deployment-name"]


async def test_requests_are_split_as_wanted(caller: Caller):
    """Each reply names its deployment, and the model it has."""
    replies = [await caller.call(PATH, CHAT) for _ in range(50)]

    assert {"blue": 45, "green": 5} == Counter(answered(reply) for reply in replies)
    assert {(answered(reply), reply.json["model"]) for reply in replies} == {
        ("blue", "Model-blue"),
        ("green", "Model-green"),
    }


async def test_the_header_picks_one(caller: Caller):
    """Whatever its share; so does the path of Azure OpenAI's clients behind the endpoint."""
    path = f"{PILOT}/openai/deployments/green/chat/completions"
    picked = [await caller.call(PATH, CHAT, headers={HEADER: "green"}) for _ in range(9)]
    picked += [await caller.call(path, CHAT) for _ in range(9)]

    assert {"green"} == {answered(reply) for reply in picked}


async def test_the_endpoints_name_as_deployment_means_the_split(caller: Caller):
    """At the server's root, Azure OpenAI's clients name an endpoint of ours as deployment."""
    for root in ("", PILOT):
        path = f"{root}/openai/deployments/pilot/chat/completions"
        replies = [await caller.call(path, CHAT) for _ in range(10)]
        assert {"blue": 9, "green": 1} == Counter(answered(reply) for reply in replies)
    picked = await caller.call(
        "/openai/deployments/pilot/chat/completions", CHAT, headers={HEADER: "green"}
    )
    assert "green" == answered(picked)


async def test_an_unknown_deployment_is_not_found(caller: Caller):
    """The message names those there are."""
    answer = await caller.call(PATH, CHAT, headers={HEADER: "red"})

    assert 404 == answer.status
    assert "no deployment 'red'. It has: blue, green." in answer.json["error"]["message"]


async def test_header_and_path_must_agree(caller: Caller):
    """Neither goes before the other silently."""
    path = f"{PILOT}/openai/deployments/green/chat/completions"
    answers = [await caller.call(path, CHAT, headers={HEADER: name}) for name in ("green", "blue")]

    assert [200, 400] == [answer.status for answer in answers]
    assert "Send one of them" in answers[1].json["error"]["message"]


async def test_without_traffic_only_named_ones_answer():
    """404 as of the service, with what to do."""
    caller = caller_of({}, deployment("blue"), deployment("green"))
    silent = await caller.call(PATH, CHAT)
    named = await caller.call(PATH, CHAT, headers={HEADER: "green"})

    assert (404, 200) == (silent.status, named.status)
    message = silent.json["error"]["message"]
    assert "No deployment of the endpoint 'pilot' gets traffic." in message
    assert "cupola traffic pilot blue=100" in message
    assert 503 == (await caller.call(PILOT)).status


async def test_an_endpoint_without_deployments_says_so():
    """As it is between being made and its first deployment."""
    caller = caller_of({})

    for path, body in [(PATH, CHAT), (f"{PILOT}/info", None), (f"{PILOT}/openapi.json", None)]:
        answer = await caller.call(path, body)
        assert 404 == answer.status
        assert "has no deployment yet" in answer.json["error"]["message"]
    assert [] == (await caller.call("/v1/models")).json["data"]
    assert 503 == (await caller.call(PILOT)).status
    assert 404 == (await caller.call("/v1/chat/completions", CHAT)).status


async def test_a_deployment_that_is_not_ready_keeps_its_share():
    """Its requests wait for it, and fail if it does not come: nothing is moved silently."""
    caller = caller_of(
        {"blue": 50, "green": 50}, deployment("blue"), deployment("green", ready=False)
    )
    replies = [await caller.call(PATH, CHAT) for _ in range(10)]

    outcomes = Counter((answered(reply), reply.status) for reply in replies)
    assert {("blue", 200): 5, ("green", 503): 5} == outcomes


async def test_a_deployment_that_wakes_is_waited_for():
    """As a serverless one does that was scaled to nothing."""
    green = deployment("green", ready=False)
    assert isinstance(green.pool, FixedPool)
    green.pool.comes_back = [ScriptedReplica(saying(*HELLO))]
    caller = caller_of({"green": 100}, deployment("blue"), green)

    assert 200 == (await caller.call(PATH, CHAT)).status


async def test_the_likeliest_is_what_an_endpoint_is_said_to_be(caller: Caller):
    """The header asks about another one."""
    for path, key in [("/info", "model_name"), ("/v1/models", None), ("/openapi.json", "info")]:
        for headers, name in [({}, "blue"), ({HEADER: "green"}, "green")]:
            answer = await caller.call(f"{PILOT}{path}", headers=headers)
            said = answer.json[key] if key else answer.json["data"][0]["id"]
            assert f"Model-{name}" in str(said)
    assert "Model-blue" == (await caller.call("/models/info")).json["model_name"]


async def test_the_document_lists_the_deployments(caller: Caller):
    """And the split."""
    document = (await caller.call(f"{PILOT}/openapi.json")).json
    parameters = document["paths"]["/chat/completions"]["post"]["parameters"]
    header = next(each for each in parameters if each["name"] == HEADER)

    assert ["blue", "green", ""] == header["schema"]["enum"]
    assert "blue 90 %, green 10 %" in header["description"]


async def test_health_is_that_of_all_that_get_traffic():
    """Since nothing is moved from one to another. A named one speaks for itself."""
    deployments = [deployment("blue"), deployment("green", ready=False)]
    split = caller_of({"blue": 90, "green": 10}, *deployments)
    whole = caller_of({"blue": 100}, *deployments)

    assert (503, b"green: The model is loading.") == (
        (sick := await split.call(PILOT)).status,
        sick.body,
    )
    assert 200 == (await split.call(PILOT, headers={HEADER: "blue"})).status
    assert 200 == (await whole.call(PILOT)).status
    assert 503 == (await whole.call(PILOT, headers={HEADER: "green"})).status
    assert 200 == (await split.call("/readyz")).status
