"""The gateway in front of an engine that takes conversations instead of prompts."""

from dataclasses import replace
from typing import Any

import pytest

from cupola.engines.port import FILL, LOGPROBS, SAFE_PROMPT, TEXT, TOOLS, Profile, ToolOutput
from cupola.gateway.safe_prompt import SAFE_PROMPT as WORDS
from tests.gateway.fakes import (
    HELLO,
    PROFILE,
    Caller,
    FixedPool,
    ScriptedReplica,
    gateway_of,
    saying,
    served,
)

FAR = Profile(
    context_length=100,
    chat_template="",
    bos_token="",
    eos_token="",
    control_tokens={},
    tool_calls_token=None,
    grammar=True,
    engine="upstream",
    capabilities=frozenset({TOOLS}),
    takes_conversations=True,
)
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
TOOL = {"type": "function", "function": {"name": "get_time"}}
PASS = {"extra-parameters": "pass-through"}


def caller_of(*abilities: str, **changes: Any) -> tuple[Caller, ScriptedReplica]:
    profile = replace(FAR, capabilities=frozenset(abilities), **changes)
    replica = ScriptedReplica(saying(*HELLO), profile)
    endpoint = replace(served(FixedPool([replica])), profile=profile)
    return Caller(gateway_of(endpoint)), replica


async def ask(caller: Caller, path: str = "chat/completions", **fields: Any) -> Any:
    headers = PASS if "v1" not in path else {}
    return await caller.call(f"/endpoints/pilot/{path}", {**CHAT, **fields}, headers=headers)


async def test_the_conversation_arrives_as_it_was():
    """No prompt is made of it, and what looks like a control token stays where it is."""
    caller, replica = caller_of(TOOLS)
    messages = [{"role": "system", "content": "[INST]"}, {"role": "user", "content": "</s>Hi"}]
    response = await ask(caller, messages=messages, tools=[TOOL], temperature=0.2)

    [asked] = replica.asked
    assert 200 == response.status
    assert ((), 0.2) == (asked.prompt, asked.temperature)
    assert isinstance(asked.constraint, ToolOutput)
    assert asked.conversation is not None
    assert ["[INST]", "</s>Hi"] == [message.content for message in asked.conversation.messages]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"top_k": 3}, "top_k"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"made_up": 1}, "made_up"),
    ],
)
async def test_what_it_lacks_is_refused(fields: dict[str, Any], where: str):
    """By name, before anything is asked of it."""
    caller, replica = caller_of()
    response = await ask(caller, **fields)

    assert (422, []) == (response.status, replica.asked)
    assert ["body", where] == response.json["detail"]["loc"]


async def test_extras_go_through_by_name():
    """Those that the operator wrote down, and no other."""
    caller, replica = caller_of("reasoning_effort", "made_up")
    fields: dict[str, Any] = {"reasoning_effort": "low", "made_up": [1]}
    response = await ask(caller, **fields)

    assert 200 == response.status
    assert replica.asked[0].conversation is not None
    assert fields == replica.asked[0].conversation.extras


@pytest.mark.parametrize("native", [True, False], ids=["native", "written"])
async def test_the_safe_prompt(native: bool):
    """Where the upstream knows it by name, by name; else in words."""
    caller, replica = caller_of(*([SAFE_PROMPT] if native else []))
    await ask(caller, safe_prompt=True)

    asked = replica.asked[0].conversation
    assert asked is not None
    assert native is asked.safe_prompt
    assert (["Hi"] if native else [WORDS, "Hi"]) == [message.content for message in asked.messages]


async def test_text_is_for_those_who_complete_it():
    """A model that chats only has no such route."""
    text = {"prompt": "Once"}
    chats, _ = caller_of()
    writes, replica = caller_of(TEXT)

    refused = await chats.call("/endpoints/pilot/v1/completions", text)
    answered = await writes.call("/endpoints/pilot/v1/completions", text)
    assert (404, 200) == (refused.status, answered.status)
    assert (("Once",), None) == (replica.asked[0].prompt, replica.asked[0].conversation)


async def test_filling_in_is_for_those_who_can():
    """The text goes as it is, with all that was asked; a model may fill in and complete nothing."""
    body = {"prompt": "a[INST]", "suffix": "b", "random_seed": 3}
    chats, _ = caller_of(TEXT)
    fills, replica = caller_of(FILL)

    refused = await chats.call("/endpoints/pilot/v1/fim/completions", body)
    answered = await fills.call("/endpoints/pilot/v1/fim/completions", body)
    assert (404, 200) == (refused.status, answered.status)
    [asked] = replica.asked
    assert asked.completion is not None
    assert (("a[INST]",), "b", None) == (
        asked.prompt, asked.completion.suffix, asked.completion.temperature
    )  # fmt: skip
    assert "Hello" == answered.json["choices"][0]["message"]["content"]


async def test_several_answers():
    """As many requests, with seeds of their own."""
    caller, replica = caller_of()
    response = await ask(caller, n=3, seed=7)

    assert 3 == len(response.json["choices"])
    assert [7, 8, 9] == sorted(asked.seed or 0 for asked in replica.asked)
    assert all(asked.conversation is not None for asked in replica.asked)


async def test_models_say_what_they_can():
    """`/v1/models` tells it of both kinds of engines."""
    for abilities, calls, fills in (((TOOLS,), True, False), ((LOGPROBS, FILL), False, True)):
        caller, _ = caller_of(*abilities)
        [card] = (await caller.call("/endpoints/pilot/v1/models")).json["data"]
        told = card["capabilities"]

        assert (True, calls, fills) == (
            told["completion_chat"], told["function_calling"], told["completion_fim"]
        )  # fmt: skip


def test_engines_of_our_own_are_judged_by_their_vocabulary():
    """A profile that takes prompts cannot claim tools by name alone."""
    assert PROFILE.calls_tools
    assert not replace(PROFILE, grammar=False).calls_tools
    assert replace(PROFILE, tool_calls_token=None).reads_calls
