"""Bodies are read leniently where clients are known to be sloppy, and never silently."""

from typing import Any

import pytest

from cupola.kit.errors import CupolaError, ExtraField, Malformed, Unsupported
from cupola.wire import chat
from cupola.wire.canonical import (
    ChatRequest,
    LogprobsAsked,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
)
from cupola.wire.mistral import decode as mistral
from cupola.wire.openai import decode as openai

V1 = {**openai.FIELDS, **mistral.FIELDS, **chat.FIELDS}
USER = {"role": "user", "content": "Hi"}
CALL = {"id": "abc0dF1gh", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def read(**fields: Any) -> ChatRequest:
    return chat.read_chat({"messages": [USER], **fields}, V1)


def read_message(message: Any) -> Message:
    return chat.read_chat({"messages": [message]}, V1).messages[0]


def fault(**fields: Any) -> CupolaError:
    with pytest.raises(CupolaError) as refused:
        read(**fields)
    return refused.value


def test_what_is_not_said_is_left_to_the_model():
    """Absent fields are None or the neutral value, so that defaults live in one place."""
    assert ChatRequest((Message("user", "Hi"),)) == read()


@pytest.mark.parametrize("name", sorted(V1.keys() - {"messages"}))
def test_null_means_absent(name: str):
    """Clients that write every field they know write null for what they do not mean."""
    assert read() == read(**{name: None})


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("presence_penalty", "0.1", 0.1),
        ("temperature", 0, 0.0),
        ("temperature", 2, 2.0),
        ("top_p", 0, 0.0),
        ("max_tokens", "64", 64),
        ("max_tokens", 64.0, 64),
        ("stream", "true", True),
        ("seed", -1, -1),
        ("seed", "9007199254740993", 2**53 + 1),
        ("seed", " -9007199254740993 ", -(2**53) - 1),
        ("stop", "###", ("###",)),
        ("stop", ["a", "b"], ("a", "b")),
        ("stop", [], ()),
        ("response_format", {"type": {"type": "text"}}, ResponseFormat("text")),
        ("response_format", "json_object", ResponseFormat("json_object")),
        ("response_format", {"type": {"type": "json_object"}}, ResponseFormat("json_object")),
        (
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            ResponseFormat("json_schema", {"type": "object"}),
        ),
        ("tools", [], ()),
        ("tool_choice", "any", ToolChoice("required")),
        ("tool_choice", "none", ToolChoice("none")),
        (
            "tool_choice",
            {"type": "function", "function": {"name": "f"}},
            ToolChoice("required", "f"),
        ),
    ],
)
def test_sloppy_values_are_read(field: str, value: object, expected: object):
    """Numbers as strings, one string for a list, a type in a type: all from real clients."""
    assert expected == getattr(read(**{field: value}), field)


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"temperature": 2.5}, "less_than_equal"),
        ({"temperature": -1}, "greater_than_equal"),
        ({"temperature": "hot"}, "float_parsing"),
        ({"temperature": "nan"}, "float_parsing"),
        ({"temperature": True}, "float_type"),
        ({"temperature": 10**400}, "less_than_equal"),
        ({"max_tokens": 1.5}, "int_from_float"),
        ({"max_tokens": -1}, "greater_than_equal"),
        ({"seed": 10**30}, "less_than_equal"),
        ({"stream": 1}, "bool_type"),
        ({"stop": [""]}, "string_too_short"),
        ({"stop": ["x"] * 17}, "too_long"),
        ({"stop": 5}, "list_type"),
        ({"response_format": {"type": "xml"}}, "enum"),
        ({"response_format": {"type": "json_schema"}}, "missing"),
        ({"tools": [{}]}, "missing"),
        ({"tools": [{"function": {"name": "f", "parameters": {"type": "array"}}}]}, "value_error"),
        ({"tool_choice": "sometimes"}, "enum"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "value_error"),
    ],
)
def test_wrong_values_are_refused_where_they_stand(field: dict[str, Any], code: str):
    """With the code that clients know, and a path that begins at the field."""
    refused = fault(**field)

    assert isinstance(refused, Malformed)
    assert code == refused.code
    assert refused.path[0] in field


def test_two_names_of_one_thing():
    """Both names are known; said twice alike they do not quarrel."""
    assert 5 == read(max_completion_tokens=5).max_tokens
    assert 5 == read(max_tokens=5, max_completion_tokens=5).max_tokens
    assert 3 == read(random_seed=3).seed


def test_unknown_fields_are_all_named():
    """One round trip shows every one of them."""
    refused = fault(foo=1, bar=2)

    assert isinstance(refused, ExtraField)
    assert {"foo": 1, "bar": 2} == refused.value


@pytest.mark.parametrize(
    "harmless",
    [
        {"n": 1},
        {"logprobs": False},
        {"store": False},
        {"user": "me"},
        {"metadata": {"a": "b"}},
        {"logit_bias": {}},
        {"safe_prompt": False},
        {"service_tier": "auto"},
        {"ignore_eos": False},
    ],
    ids=lambda field: next(iter(field)),
)
def test_fields_that_ask_for_nothing_are_accepted(harmless: dict[str, Any]):
    """SDKs and frameworks send many of their defaults."""
    assert read() == read(**harmless)


@pytest.mark.parametrize(
    "wish",
    [{"store": True}, {"prediction": {"type": "content", "content": "x"}}, {"prompt_logprobs": 1}],
    ids=lambda field: next(iter(field)),
)
def test_fields_that_ask_for_something_are_kept_to_be_refused(wish: dict[str, Any]):
    """Never dropped: the check refuses what is in `extras`, naming model and parameter."""
    assert wish == read(**wish).extras


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("n", "2", 2),
        ("best_of", 3, 3),
        ("logprobs", True, LogprobsAsked()),
        ("logprobs", 5, LogprobsAsked(5, with_chosen=True)),
        ("logprobs", 0, LogprobsAsked(0, with_chosen=True)),
        ("top_logprobs", 20, 20),
        ("safe_prompt", "true", True),
    ],
)
def test_what_concerns_whole_replies(field: str, value: object, expected: object):
    """`logprobs` is a flag in one family of models, a number in the other."""
    assert expected == getattr(read(**{field: value}), field)


@pytest.mark.parametrize("name", ["safe_prompt", "safe_mode", "safemode"])
def test_three_names_of_the_safe_prompt(name: str):
    """Documents differ, users copy from all of them."""
    assert read(**{name: True}).safe_prompt


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("logit_bias", {"5": 100, "7": "-1.5"}, ((5, 100.0), (7, -1.5))),
        ("stop_token_ids", ["2", 3], (2, 3)),
        ("top_k", 40, 40),
        ("min_p", 0.1, 0.1),
        ("repetition_penalty", 1.2, 1.2),
        ("ignore_eos", True, True),
        ("skip_special_tokens", False, False),
        ("early_stopping", True, True),
    ],
)
def test_what_concerns_the_choice_of_tokens(field: str, value: object, expected: object):
    """Read into the options, which an engine must be able to honour."""
    options = read(**{field: value}).options

    assert options is not None
    assert expected == getattr(options, field)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ({"n": 0}, ("n",)),
        ({"n": 17}, ("n",)),
        ({"logprobs": 21}, ("logprobs",)),
        ({"top_logprobs": -1}, ("top_logprobs",)),
        ({"logit_bias": {"a": 1}}, ("logit_bias", "a")),
        ({"logit_bias": {"5": 101}}, ("logit_bias", "5")),
        ({"logit_bias": [1]}, ("logit_bias",)),
        ({"stop_token_ids": [1, -1]}, ("stop_token_ids", 1)),
        ({"stop_token_ids": [1] * 1025}, ("stop_token_ids",)),
        ({"repetition_penalty": 0}, ("repetition_penalty",)),
        ({"top_k": -2}, ("top_k",)),
    ],
)
def test_wrong_samplings_are_refused(field: dict[str, Any], path: tuple[str | int, ...]):
    """At the value, not only at the field."""
    assert path == fault(**field).path


def test_usage_of_its_own_is_asked_for():
    """OpenAI's `stream_options`."""
    assert read(stream_options={"include_usage": True}).include_usage
    assert not read(stream_options={}).include_usage


MESSAGES = {
    "developer": ({"role": "developer", "content": "Be brief."}, Message("system", "Be brief.")),
    "parts": (
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        Message("user", "ab"),
    ),
    "no parts": ({"role": "user", "content": []}, Message("user", "")),
    "unknown keys": ({**USER, "mood": "good"}, Message("user", "Hi")),
    "echo of a reply": (
        {"role": "assistant", "content": "Hi", "tool_calls": None, "refusal": None},
        Message("assistant", "Hi"),
    ),
    "echo of a call": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "function": {"name": "f", "arguments": '{"a": 1}', "call_id": None}}
            ],
        },
        Message("assistant", "", tool_calls=(ToolCall("1", "f", '{"a": 1}'),)),
    ),
    "arguments as an object": (
        {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f",
                                                                   "arguments": {"a": "é"}}}]},
        Message("assistant", "", tool_calls=(ToolCall("abc0dF1gh", "f", '{"a": "é"}'),)),
    ),
    "result": (
        {"role": "tool", "content": "ok", "tool_call_id": "1", "name": "f"},
        Message("tool", "ok", tool_call_id="1"),
    ),
    "prefix": (
        {"role": "assistant", "content": "Well,", "prefix": True},
        Message("assistant", "Well,", prefix=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_messages_are_read(message: dict[str, Any], expected: Message):
    """As clients write them and as servers' replies come back."""
    assert expected == read_message(message)


BAD_MESSAGES: dict[str, tuple[Any, tuple[str | int, ...]]] = {
    "no object": ("Hi", ()),
    "no role": ({"content": "Hi"}, ("role",)),
    "unknown role": ({"role": "wizard", "content": "x"}, ("role",)),
    "no content": ({"role": "user"}, ("content",)),
    "number as content": ({"role": "user", "content": 7}, ("content",)),
    "text part without text": ({"role": "user", "content": [{"type": "text"}]},
                               ("content", 0, "text")),
    "result without call": ({"role": "tool", "content": "x"}, ("tool_call_id",)),
    "arguments nested too deep": (
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {
            "name": "f", "arguments": '{"a":' * 500 + "1" + "}" * 500}}]},
        ("tool_calls", 0, "function", "arguments"),
    ),
    "arguments with half a character": (
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {
            "name": "f", "arguments": '{"a": "\\uD800"}'}}]},
        ("tool_calls", 0, "function", "arguments"),
    ),
    "arguments that are no JSON": (
        {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f",
                                                                   "arguments": "{a"}}]},
        ("tool_calls", 0, "function", "arguments"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("message", "path"), BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_bad_messages_are_refused_where_they_are_bad(message: Any, path: tuple[str | int, ...]):
    """The path leads to the very value."""
    with pytest.raises(Malformed) as refused:
        read_message(message)

    assert ("messages", 0, *path) == refused.value.path


@pytest.mark.parametrize("kind", ["image_url", "input_audio"])
def test_parts_that_are_not_text_are_unsupported(kind: str):
    """Not malformed: the request is fine, the model cannot read it."""
    with pytest.raises(Unsupported) as refused:
        read_message({"role": "user", "content": [{"type": kind, kind: {}}]})

    assert ("messages", 0, "content", 0, "type") == refused.value.path


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, "missing", "Field required"),
        ({"messages": []}, "value_error", "Value error, messages can not be an empty list"),
        ({"messages": None}, "list_type", "Input should be a valid list"),
    ],
)
def test_a_request_has_messages(body: dict[str, Any], code: str, message: str):
    """In the sentences of Microsoft's own server."""
    with pytest.raises(Malformed) as refused:
        chat.read_chat(body, V1)

    assert (code, message) == (refused.value.code, refused.value.public)


def test_tools_are_read():
    """What is absent is empty; a tool without a type is a function."""
    tool = {"function": {"name": "f", "description": None, "parameters": None, "strict": True}}

    assert (Tool("f"),) == read(tools=[tool]).tools
