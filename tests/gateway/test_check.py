"""Requests that are well-formed but make no sense, or that this model cannot serve."""

from dataclasses import replace
from typing import Any

import pytest

from cupola.engines.port import Profile
from cupola.gateway.check import check
from cupola.kit.errors import CupolaError, Invalid, TooLong, Unsupported
from cupola.wire import chat
from cupola.wire.canonical import ChatRequest
from cupola.wire.openai import decode as openai
from tests.gateway.fakes import PROFILE, FixedPool, served

V1 = {**openai.FIELDS, **chat.FIELDS}
USER = {"role": "user", "content": "Hi"}
ASSISTANT = {"role": "assistant", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def calls(*ids: str) -> dict[str, Any]:
    made = [{"id": one, "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": "", "tool_calls": made}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "content": "ok", "tool_call_id": call_id}


def read(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return chat.read_chat({"messages": list(messages) or [USER], **fields}, V1)


def refusal(request: ChatRequest, profile: Profile = PROFILE) -> CupolaError:
    with pytest.raises(CupolaError) as refused:
        check(request, replace(served(FixedPool([])), profile=profile))
    return refused.value


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [SYSTEM],
        [SYSTEM, SYSTEM, USER],
        [USER, SYSTEM, USER],
        [ASSISTANT, USER],
        [USER, USER],
        [USER, {**ASSISTANT, "prefix": True}],
        [USER, calls("a"), result("a")],
        [USER, calls("a", "b"), result("b"), result("a"), USER],
        [USER, calls("call_1"), result("call_1"), calls("call_1"), result("call_1")],
    ],
    ids=range(10),
)
def test_conversations_that_await_a_reply(messages: list[dict[str, Any]]):
    """Any order that the layout can express, and ids of any form."""
    check(read(*messages), served(FixedPool([])))


@pytest.mark.parametrize(
    ("messages", "index", "word"),
    [
        ([USER, ASSISTANT], 1, "Expected last role"),
        ([USER, ASSISTANT, SYSTEM], 2, "Expected last role"),
        ([{**ASSISTANT, "prefix": True}, USER], 0, "prefix"),
        ([USER, result("a")], 1, "must answer a call"),
        ([USER, calls("a"), result("b")], 2, "must answer a call"),
        ([USER, calls("a"), result("a"), result("a")], 3, "must answer a call"),
        ([USER, calls("a", "b"), result("a")], 2, "no result for b"),
        ([USER, calls("a", "b"), result("a"), USER], 3, "missing: b"),
        ([USER, calls("a", "a"), result("a")], 1, "same id"),
    ],
    ids=range(9),
)
def test_conversations_that_make_no_sense(messages: list[dict[str, Any]], index: int, word: str):
    """Refused at the message that is wrong."""
    refused = refusal(read(*messages))

    assert isinstance(refused, Invalid)
    assert ("messages", index) == refused.path[:2]
    assert word in refused.public


def test_more_messages_than_tokens():
    """Nothing is rendered that cannot fit."""
    assert isinstance(refusal(read(*[USER] * 5000)), TooLong)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"stream_options": {"include_usage": True}}, ("stream_options",)),
        ({"tools": [{"function": {"name": "no spaces"}}]}, ("tools", 0, "function", "name")),
        ({"tools": [{"function": {"name": "f" * 65}}]}, ("tools", 0, "function", "name")),
        ({"tools": [TOOL, TOOL]}, ("tools", 1, "function", "name")),
        ({"tool_choice": "required"}, ("tool_choice",)),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            ("tool_choice", "function", "name"),
        ),
    ],
)
def test_fields_that_contradict(fields: dict[str, Any], path: tuple[str | int, ...]):
    """Refused at the field that is to be changed."""
    refused = refusal(read(**fields))

    assert type(refused) is Invalid
    assert path == refused.path


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [
        ({"tools": [TOOL]}, {"grammar": False}),
        ({"response_format": {"type": "json_object"}}, {"grammar": False}),
        ({"store": True}, {}),
        ({"logprobs": True}, {"capabilities": frozenset()}),
        ({"top_k": 40}, {"capabilities": frozenset(["min_p"])}),
    ],
    ids=["tools", "json", "store", "logprobs", "top_k"],
)
def test_what_a_model_lacks_is_refused(fields: dict[str, Any], lacking: dict[str, Any]):
    """By the name of the parameter, and with the value that was sent."""
    refused = refusal(read(**fields), replace(PROFILE, **lacking))

    assert isinstance(refused, Unsupported)
    assert tuple(fields) == refused.path
    assert "Cupola-Pilot" in refused.public


@pytest.mark.parametrize(
    ("fields", "name", "word"),
    [
        ({"n": 2, "best_of": 1}, "best_of", "got n=2 and best_of=1"),
        ({"best_of": 2, "stream": True, "temperature": 1}, "best_of", "streamed"),
        ({"best_of": 2, "temperature": 0}, "best_of", "greedy"),
        ({"top_logprobs": 2}, "top_logprobs", "`logprobs` must be set to true"),
        ({"length_penalty": 2}, "length_penalty", "use_beam_search"),
        ({"min_tokens": 4, "max_tokens": 3}, "min_tokens", "max_tokens=3, got 4"),
        ({"use_beam_search": True}, "best_of", "greater than 1"),
        ({"use_beam_search": True, "n": 2, "temperature": 1}, "temperature", "must be 0"),
        ({"use_beam_search": True, "n": 2, "stream": True}, "stream", "streamed"),
        ({"use_beam_search": True, "n": 2, "top_k": 5}, "use_beam_search", "penalties"),
        ({"use_beam_search": True, "n": 2, "tools": [TOOL]}, "use_beam_search", "form"),
    ],
)
def test_samplings_that_contradict(fields: dict[str, Any], name: str, word: str):
    """Refused at the parameter that is to be changed."""
    refused = refusal(read(**fields))

    assert type(refused) is Invalid
    assert (name,) == refused.path
    assert word in refused.public
