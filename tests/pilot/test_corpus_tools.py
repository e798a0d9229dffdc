"""The tool, JSON and copying parts of the corpus: what must hold for every example."""

import json
import random
import re
from functools import cache
from itertools import islice
from types import ModuleType

import pytest

from pilot.conversation import Conversation, Split
from pilot.corpus import copying, json_mode, tools
from pilot.corpus.places import is_training_city
from pilot.corpus.tools_definitions import reference_tool, tool_of
from pilot.corpus.tools_questions import ask
from pilot.corpus.tools_wordings import MODE_NOUNS

COUNT = 3000
SPLITS: tuple[Split, ...] = ("train", "heldout")
MODULES = (tools, json_mode, copying)


@cache
def sample(module: ModuleType, split: Split) -> tuple[Conversation, ...]:
    return tuple(islice(module.conversations(split, random.Random(f"7-{split}")), COUNT))


def prompt(conversation: Conversation) -> str:
    said = [x["content"] for x in conversation.messages[:-1]]
    if conversation.tools:
        said = [x["content"] for x in conversation.messages if x["role"] == "user"]
    return json.dumps([said, conversation.tools], ensure_ascii=False).casefold()


def calls(conversation: Conversation) -> list[tuple[str, dict, str]]:
    """Each call with the question before it: name, arguments, question."""
    found: list[tuple[str, dict, str]] = []
    question = ""
    for message in conversation.messages:
        if message["role"] == "user":
            question = message["content"]
        functions = [x["function"] for x in message.get("tool_calls", ())]
        found.extend((x["name"], x["arguments"], question) for x in functions)
    return found


def definitions(conversation: Conversation) -> dict[str, dict]:
    return {x["function"]["name"]: x["function"] for x in conversation.tools}


@pytest.mark.parametrize("module", MODULES)
def test_splits_share_no_prompt(module: ModuleType) -> None:
    train, held_out = ({prompt(x) for x in sample(module, split)} for split in SPLITS)
    shared = train & held_out
    assert not shared


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("split", SPLITS)
def test_ends_with_the_assistant(module: ModuleType, split: Split) -> None:
    for example in sample(module, split):
        assert example.messages[-1]["role"] == "assistant"
        assert example.messages[-2]["role"] in ("user", "tool")
        texts = [x["content"] for x in example.messages]
        assert not any("{A}" in x or "{B}" in x or "  " in x for x in texts)
        for message in example.messages:
            assert message["content"] == message["content"].strip()


def test_sample_is_the_same_again() -> None:
    first, second = (
        tuple(islice(tools.conversations("train", random.Random(3)), 50)) for _ in range(2)
    )
    assert first == second


def test_held_out_routes_use_no_training_city() -> None:
    rng = random.Random(5)
    for _ in range(COUNT):
        tool = tool_of(rng.choice(tuple(MODE_NOUNS)), "heldout", rng)
        asked = ask(tool, "heldout", rng)
        assert not any(is_training_city(name) for name in asked.places.values())


@pytest.mark.parametrize("split", SPLITS)
def test_arguments_stand_in_the_question(split: Split) -> None:
    for example in sample(tools, split):
        for name, arguments, question in calls(example):
            assert arguments
            for value in arguments.values():
                assert str(value) in question, (name, arguments, question)


@pytest.mark.parametrize("split", SPLITS)
def test_calls_fit_their_definition(split: Split) -> None:
    kinds = {"string": str, "integer": int}
    for example in sample(tools, split):
        offered = definitions(example)
        for name, arguments, _ in calls(example):
            parameters = offered[name]["parameters"]
            assert set(parameters["required"]) <= set(arguments)
            order = [key for key in parameters["properties"] if key in arguments]
            assert order == list(arguments)
            for key, value in arguments.items():
                schema = parameters["properties"][key]
                assert isinstance(value, kinds[schema["type"]])
                assert value in schema.get("enum", [value]) or str(value).lower() in schema["enum"]


@pytest.mark.parametrize("split", SPLITS)
def test_definitions_are_json_schema(split: Split) -> None:
    for example in sample(tools, split):
        assert example.tools
        assert len(definitions(example)) == len(example.tools)
        for tool in example.tools:
            assert tool["type"] == "function"
            function = tool["function"]
            assert set(function) == {"name", "description", "parameters"}
            assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"])
            parameters = function["parameters"]
            assert set(parameters) == {"type", "properties", "required"}
            assert parameters["type"] == "object"
            assert set(parameters["required"]) <= set(parameters["properties"])
            for schema in parameters["properties"].values():
                assert schema["type"] in ("string", "integer")
                assert set(schema) <= {"type", "description", "enum"}


@pytest.mark.parametrize("split", SPLITS)
def test_tool_checks_hold_for_the_reference_reply(split: Split) -> None:
    for example in sample(tools, split):
        last, check = example.messages[-1], example.check
        if check.call:
            function = last["tool_calls"][0]["function"]
            assert check.call == (function["name"], function["arguments"])
        else:
            assert check.no_call
            assert "tool_calls" not in last
            text = last["content"].casefold()
            assert all(x.casefold() in text for x in check.contains_all), example


@pytest.mark.parametrize("split", SPLITS)
def test_result_values_come_from_the_conversation(split: Split) -> None:
    for example in sample(tools, split):
        if example.kind != "tools.result":
            continue
        before = " ".join(x["content"] for x in example.messages[:-1]).casefold()
        assert example.messages[-2]["role"] == "tool"
        for value in example.check.contains_all:
            assert value.casefold() in before, (value, example)


@pytest.mark.parametrize("split", SPLITS)
def test_json_replies_have_exactly_the_keys(split: Split) -> None:
    for example in sample(json_mode, split):
        content = example.messages[-1]["content"]
        reply = json.loads(content)
        assert tuple(reply) == example.check.json_keys
        assert content == json.dumps(reply, ensure_ascii=False)
        asked = " ".join(x["content"] for x in example.messages[:-1])
        assert all(key in asked for key in reply)
        assert any(x.casefold() in content.casefold() for x in example.check.contains_any)


@pytest.mark.parametrize("split", SPLITS)
def test_copies_stand_in_the_prompt(split: Split) -> None:
    for example in sample(copying, split):
        assert example.messages[-1]["content"] in example.messages[-2]["content"]


def test_reference_tool_is_word_for_word() -> None:
    function = reference_tool().definition["function"]
    assert function["name"] == "get_flight_info"
    assert function["description"].startswith("Returns information about the next flight between")
    assert function["parameters"]["required"] == ["origin_city", "destination_city"]
