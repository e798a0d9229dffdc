"""Several answers to one request: numbered, seeded apart, ranked, billed and ended together."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from cupola.engines.port import Generation
from cupola.kit.errors import EngineFailed
from cupola.wire.canonical import Candidate, Delta, Event, Failed, Finish, TokenLogprob, Usage
from tests.gateway.fakes import Caller, caller_of, saying

pytestmark = pytest.mark.usefixtures("leaping")

PATH = "/endpoints/pilot/v1/chat/completions"
CHAT = {"messages": [{"role": "user", "content": "Hi"}], "temperature": 1, "seed": 7}
LIKELY = {7: -2.0, 8: -0.5, 9: -1.0}
"""Seed -> log-probability of each token of its answer."""


async def by_seed(request: Generation) -> AsyncGenerator[Event, None]:
    """Says its seed, as likely as `LIKELY` has it."""
    seed = request.seed or 0
    told = TokenLogprob(Candidate(str(seed).encode(), LIKELY[seed]))
    await asyncio.sleep(0.001 * (10 - seed))
    yield Delta(str(seed), 1, () if request.logprobs is None else (told,))
    yield Finish("stop", Usage(5, 2))


async def ask(caller: Caller, **fields: Any) -> Any:
    response = await caller.call(PATH, {**CHAT, **fields})
    return response.json


async def test_choices_are_numbered_and_seeded_apart():
    """However they come in, they stand in order; the prompt is counted once."""
    caller, _ = caller_of(by_seed)

    reply = await ask(caller, n=3)
    assert [0, 1, 2] == [choice["index"] for choice in reply["choices"]]
    assert ["7", "8", "9"] == [choice["message"]["content"] for choice in reply["choices"]]
    assert {"prompt_tokens": 5, "total_tokens": 11, "completion_tokens": 6} == reply["usage"]
    assert [Usage(5, 6)] == [each.usage for each in caller.told.journeys]


@pytest.mark.parametrize(("n", "best"), [(1, ["8"]), (2, ["8", "9"])])
async def test_the_likeliest_are_chosen(n: int, best: list[str]):
    """By mean log-probability, which the caller need not have asked for; all are billed."""
    caller, _ = caller_of(by_seed)

    reply = await ask(caller, n=n, best_of=3)
    assert best == [choice["message"]["content"] for choice in reply["choices"]]
    assert [None] * n == [choice["logprobs"] for choice in reply["choices"]]
    assert 6 == reply["usage"]["completion_tokens"]


async def test_the_likeliest_with_their_logprobs():
    """Asked for, they are told."""
    caller, _ = caller_of(by_seed)

    [choice] = (await ask(caller, best_of=2, logprobs=True))["choices"]
    assert [-0.5] == [place["logprob"] for place in choice["logprobs"]["content"]]


async def test_choices_stream_as_they_come():
    """Each with its role first and its reason last; usage once, at the very end."""
    caller, _ = caller_of(by_seed)
    response = await caller.call(PATH, {**CHAT, "n": 3, "stream": True})

    *events, done = response.body.decode().removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    by_index: dict[int, list[Any]] = {0: [], 1: [], 2: []}
    for chunk in chunks:
        by_index[chunk["choices"][0]["index"]].append(chunk["choices"][0])
    assert "data: [DONE]" == done
    for i, choices in by_index.items():
        assert [{"role": "assistant", "content": ""}, {"content": str(7 + i)}, {"content": ""}] == [
            choice["delta"] for choice in choices
        ]
        assert [None, None, "stop"] == [choice["finish_reason"] for choice in choices]
    assert ["usage" in chunk for chunk in chunks] == [False] * 8 + [True]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_one_failure_ends_all(stream: bool):
    """Half of what was asked for is not sent as all of it, and nobody goes on."""

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        if request.seed == 8:
            yield Failed(EngineFailed("It died."))
        else:
            await asyncio.sleep(60)
            yield Finish("stop", Usage(0, 0))

    caller, replica = caller_of(script, tries=1)
    response = await caller.call(PATH, {**CHAT, "n": 3, "stream": stream})
    assert 502 == response.status
    assert 0 == replica.open


async def test_a_hang_up_ends_all():
    """Every replica is free again."""

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        await asyncio.sleep(60)
        yield Finish("stop", Usage(0, 0))

    caller, replica = caller_of(script)
    await caller.call(PATH, {**CHAT, "n": 3}, hang_up_after=0.01)
    assert 3 == len(replica.asked)
    assert 0 == replica.open


async def test_a_search_is_one_generation():
    """The engine finds all its answers at once."""
    answers = (
        *(Delta("best", 1), Finish("stop", Usage(5, 1))),
        *(Delta("next", 1, (), 1), Finish("length", Usage(5, 1), 1)),
    )
    caller, replica = caller_of(saying(*answers))
    fields = {"use_beam_search": True, "n": 2, "best_of": 3, "temperature": 0}

    reply = await ask(caller, **fields)
    assert ["best", "next"] == [choice["message"]["content"] for choice in reply["choices"]]
    assert [(3, 2)] == [(asked.beams, asked.choices) for asked in replica.asked]


async def test_the_safe_prompt_goes_first():
    """Before the caller's system message, a blank line between."""
    caller, replica = caller_of(saying(Finish("stop", Usage(1, 1))))
    messages = [{"role": "system", "content": "Be brief."}, *CHAT["messages"]]  # type: ignore[misc]

    await ask(caller, messages=messages, safe_prompt=True)
    [prompt] = replica.asked[0].prompt
    assert isinstance(prompt, str)
    assert "[INST] Always assist with care, respect, and truth." in prompt
    assert "fairness and positivity.\n\nBe brief.\n\nHi[/INST]" in prompt
