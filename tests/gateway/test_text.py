"""Text completions and fill-in-the-middle, in the shapes of the APIs that have them."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from cupola.engines.port import Generation, Tokens, Verbatim
from cupola.kit.errors import TooLong
from cupola.wire.canonical import Candidate, Delta, Event, Failed, Finish, TokenLogprob, Usage
from tests.gateway.fakes import (
    PROFILE,
    Caller,
    FixedPool,
    Response,
    ScriptedReplica,
    caller_of,
    gateway_of,
    saying,
    served,
)

AZURE, V1 = "/endpoints/pilot/completions", "/endpoints/pilot/v1/completions"
FILL = "/endpoints/pilot/v1/fim/completions"
LIKELY = TokenLogprob(Candidate(b" Rome", -0.5), (Candidate(b" Paris", -0.25),))
TELLING = saying(Delta(" Rome", 1, (LIKELY,)), Finish("length", Usage(4, 1)))


async def count(request: Generation) -> AsyncGenerator[Event, None]:
    """Says how long its prompt is, which stands for the prompt's tokens, too."""
    [piece] = request.prompt
    size = len(piece) if isinstance(piece, str) else 1
    yield Delta(str(size), 1)
    yield Finish("stop", Usage(size, 1))


async def ask(path: str, **body: Any) -> tuple[Response, ScriptedReplica]:
    caller, replica = caller_of(TELLING)
    return await caller.call(path, body), replica


@pytest.mark.parametrize(("path", "limit"), [(AZURE, 256), (V1, 16)])
async def test_a_prompt_is_continued_as_it_stands(path: str, limit: int):
    """No template; the beginning of a text once, however the caller wrote it."""
    _, replica = await ask(path, prompt="The capital")
    [asked] = replica.asked
    assert ("<s>The capital",) == asked.prompt
    assert limit == asked.max_tokens

    _, replica = await ask(path, prompt="<s>The capital")
    assert ("<s>The capital",) == replica.asked[0].prompt


async def test_the_legacy_shape():
    """Log-probabilities in parallel lists, the chosen token among the alternatives."""
    response, _ = await ask(V1, prompt="The capital", logprobs=1, max_tokens=1)

    reply = response.json
    assert "text_completion" == reply["object"]
    assert {"prompt_tokens": 4, "total_tokens": 5, "completion_tokens": 1} == reply["usage"]
    assert [
        {
            "index": 0,
            "text": " Rome",
            "logprobs": {
                "text_offset": [0],
                "token_logprobs": [-0.5],
                "tokens": [" Rome"],
                "top_logprobs": [{" Paris": -0.25, " Rome": -0.5}],
            },
            "finish_reason": "length",
        }
    ] == reply["choices"]


async def test_a_stream_of_text():
    """Chunks of the same shape; the last has the reason and the usage."""
    response, _ = await ask(AZURE, prompt="The capital", stream=True)

    *events, done = response.body.decode().removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "data: [DONE]" == done
    assert [" Rome", ""] == [chunk["choices"][0]["text"] for chunk in chunks]
    assert [None, "length"] == [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert [False, True] == ["usage" in chunk for chunk in chunks]


async def test_several_prompts():
    """Choices prompt by prompt; every prompt is billed, and once."""
    caller, replica = caller_of(count)
    body = {"prompt": ["a", "bcd", [1, 2]], "n": 2, "max_tokens": 1}

    reply = (await caller.call(V1, body)).json
    assert ["4", "4", "6", "6", "1", "1"] == [choice["text"] for choice in reply["choices"]]
    assert list(range(6)) == [choice["index"] for choice in reply["choices"]]
    assert {"prompt_tokens": 11, "total_tokens": 17, "completion_tokens": 6} == reply["usage"]
    assert (Tokens((1, 2)),) == replica.asked[-1].prompt


async def test_an_echo():
    """The reply begins with its prompt."""
    caller, _ = caller_of(saying(Delta(" Rome", 1), Finish("stop", Usage(4, 1))))

    reply = (await caller.call(V1, {"prompt": ["It is", "Not"], "echo": True})).json
    assert ["It is Rome", "Not Rome"] == [choice["text"] for choice in reply["choices"]]


async def test_every_answer_of_a_beam_search_is_echoed():
    """They are one generation's, and still answers each."""
    beams = saying(
        *(Delta(" Rome", 1, (), 0), Finish("length", Usage(4, 1), 0)),
        *(Delta(" Oslo", 1, (), 1), Finish("length", Usage(4, 1), 1)),
    )
    caller, _ = caller_of(beams)
    body = {"prompt": "To", "n": 2, "use_beam_search": True, "temperature": 0, "echo": True}
    response = await caller.call(V1, body)

    assert ["To Rome", "To Oslo"] == [choice["text"] for choice in response.json["choices"]]


async def test_fill_in_the_middle():
    """Suffix first, both inert; the reply looks like a chat's."""
    tokens = {**PROFILE.control_tokens, "[SUFFIX]": 10, "[PREFIX]": 11}
    replica = ScriptedReplica(TELLING)
    coder = replace(served(FixedPool([replica])), profile=replace(PROFILE, control_tokens=tokens))
    body = {"model": "any", "prompt": "def f(", "suffix": "return x"}

    response = await Caller(gateway_of(coder)).call(FILL, body)
    expected = ("<s>[SUFFIX]", Verbatim("return x"), "[PREFIX]", Verbatim("def f("))
    assert expected == replica.asked[0].prompt
    assert " Rome" == response.json["choices"][0]["message"]["content"]
    [card] = (await Caller(gateway_of(coder)).call("/endpoints/pilot/v1/models")).json["data"]
    assert card["capabilities"]["completion_fim"]


@pytest.mark.parametrize(
    ("path", "body", "status", "where"),
    [
        (V1, {}, 422, ["prompt"]),
        (V1, {"prompt": None}, 422, ["prompt"]),
        (V1, {"prompt": []}, 422, ["prompt"]),
        (V1, {"prompt": [1, -1]}, 422, ["prompt", 1]),
        (V1, {"prompt": ["a"] * 17}, 422, ["prompt"]),
        (V1, {"prompt": "a", "messages": []}, 422, ["messages"]),
        (V1, {"prompt": "a", "suffix": "b"}, 422, ["suffix"]),
        (V1, {"prompt": "a", "echo": True, "logprobs": 1}, 422, ["echo"]),
        (V1, {"prompt": [1], "echo": True}, 422, ["echo"]),
    ],
)
async def test_what_is_wrong_is_refused_where_it_stands(
    path: str, body: dict[str, Any], status: int, where: list[str | int]
):
    """In the words of the route's dialect."""
    response, replica = await ask(path, **body, **{} if body else {"temperature": 0})

    assert status == response.status
    assert ["body", *where] == response.json["detail"][0]["loc"]
    assert not replica.asked


@pytest.mark.parametrize("path", [AZURE, V1])
async def test_a_prompt_that_is_too_long_is_called_by_its_name(path: str):
    """There are no messages here, whatever engines call it."""
    caller, _ = caller_of(saying(Failed(TooLong("Too long.", path=("messages",)))))
    response = await caller.call(path, {"prompt": "a"})

    assert (400, "prompt") == (response.status, response.json["error"]["param"])


async def test_without_the_tokens_there_is_no_filling_in():
    """The model cannot do the route's task: the route is not there."""
    response, _ = await ask(FILL, prompt="a", suffix="b")

    assert 404 == response.status
    assert "fill-in-the-middle" in response.json["error"]["message"]
