"""What is sent to an upstream, in each dialect."""

from pathlib import Path
from typing import Any

import pytest

from cupola.engines.port import Generation, Tokens
from cupola.engines.upstream.config import Upstream
from cupola.engines.upstream.request import write_body, write_headers
from cupola.kit.errors import Unsupported
from cupola.wire.canonical import (
    ChatRequest,
    Message,
    Options,
    ResponseFormat,
    TextRequest,
    Tool,
    ToolCall,
    ToolChoice,
)
from tests.contract.chained import DIALECTS, describe

HELLO = (Message("user", "Hello"),)
CALLED = (
    Message("user", "The time?"),
    Message("assistant", tool_calls=(ToolCall("call_from_elsewhere", "get_time", "{}"),)),
    Message("tool", "10:00", tool_call_id="call_from_elsewhere"),
)
SCHEMA = {"type": "object", "properties": {}}
NOW = 'upstream_model = "far-2407"'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(upstream: Upstream, messages: tuple[Message, ...] = HELLO, **fields: Any) -> Any:
    """The body for a conversation; fields are the conversation's unless the generation has them."""
    sampling = {k: fields.pop(k) for k in list(fields) if k in Generation.__struct_fields__}
    conversation = ChatRequest(messages=messages, **fields)
    return write_body(Generation(prompt=(), conversation=conversation, **sampling), upstream)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_plain_question(dialect: str, folder: Path):
    """Nothing is written that was not asked for: the rest is the upstream's to choose."""
    body = write(describe(dialect, "http://h", folder, NOW), incremental=False)

    assert {"model": "far-2407", "messages": [{"role": "user", "content": "Hello"}]} == body


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("azure", {"seed": 3, "tool_choice": "required", "stream": True}),
        ("mistral", {"random_seed": 3, "tool_choice": "any", "stream": True}),
        ("openai", {"seed": 3, "tool_choice": "required", "stream": True,
                    "stream_options": {"include_usage": True}}),
    ],
)  # fmt: skip
def test_names_of_the_dialects(dialect: str, expected: dict[str, Any], folder: Path):
    """A seed, a call that must be made, and a stream that must tell usage."""
    body = write(
        describe(dialect, "http://h", folder),
        seed=3,
        tools=(Tool("get_time"),),
        tool_choice=ToolChoice("required"),
    )

    assert body.pop("tools") == [{"type": "function", "function": {
        "name": "get_time", "description": "", "parameters": SCHEMA}}]  # fmt: skip
    assert {"model": "Far", "messages": [{"role": "user", "content": "Hello"}], **expected} == body


def test_all_of_sampling(folder: Path):
    """Each under the name that all dialects share."""
    body = write(
        describe("openai", "http://h", folder),
        incremental=False,
        max_tokens=5,
        temperature=0.0,
        top_p=0.5,
        presence_penalty=1.0,
        frequency_penalty=-1.0,
        stop=("a",),
        logprobs=2,
        options=Options(top_k=3, logit_bias=((7, -100.0),)),
    )

    assert {
        "max_tokens": 5, "top_p": 0.5, "presence_penalty": 1.0, "frequency_penalty": -1.0,
        "stop": ["a"], "logprobs": True, "top_logprobs": 2, "top_k": 3, "logit_bias": {7: -100.0},
    } == {k: v for k, v in body.items() if k not in ("model", "messages")}  # fmt: skip


def test_another_name_for_the_limit(folder: Path):
    """OpenAI's later models refuse the old one."""
    upstream = describe("openai", "http://h", folder, 'limit_field = "max_completion_tokens"')

    assert 5 == write(upstream, max_tokens=5)["max_completion_tokens"]
    assert "max_tokens" not in write(upstream, max_tokens=5)


@pytest.mark.parametrize(
    ("more", "asked", "expected"),
    [
        ("", None, None),
        ("", 0.0, 0.3),
        ("default_temperature = 0.5", None, 0.5),
        ("default_temperature = 0.5", 0.3, 0.3),
    ],
)
def test_temperature(more: str, asked: float | None, expected: float | None, folder: Path):
    """The caller's, else the operator's, else the upstream's own."""
    upstream = describe("openai", "http://h", folder, more)
    conversation = ChatRequest(messages=HELLO, temperature=asked)
    request = Generation(prompt=(), conversation=conversation, temperature=0.3)

    assert expected == write_body(request, upstream).get("temperature")


def test_calls_and_results(folder: Path):
    """Ids of another service become such as Mistral takes, the same on both sides."""
    _, call, result = write(describe("mistral", "http://h", folder), CALLED)["messages"]

    id = result["tool_call_id"]
    assert (9, True) == (len(id), id.isalnum())
    function = {"name": "get_time", "arguments": "{}"}
    assert [{"id": id, "type": "function", "function": function}] == call["tool_calls"]
    assert "" == call["content"]


def test_ids_of_the_right_form_stay(folder: Path):
    """They are what the upstream said itself."""
    result = Message("tool", "1", tool_call_id="abc0dF1gh")

    [written] = write(describe("azure", "http://h", folder), (result,))["messages"]
    assert "abc0dF1gh" == written["tool_call_id"]


def test_a_named_function_and_one_call(folder: Path):
    """As all dialects have it."""
    body = write(
        describe("mistral", "http://h", folder),
        tools=(Tool("get_time"),),
        tool_choice=ToolChoice("required", "get_time"),
        parallel_tool_calls=False,
    )

    assert {"type": "function", "function": {"name": "get_time"}} == body["tool_choice"]
    assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (ResponseFormat("json_object"), {"type": "json_object"}),
        (ResponseFormat("json_schema", SCHEMA),
         {"type": "json_schema",
          "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True}}),
    ],
)  # fmt: skip
def test_formats(form: ResponseFormat, expected: Any, folder: Path):
    """A schema is meant strictly."""
    body = write(describe("openai", "http://h", folder), response_format=form)

    assert expected == body["response_format"]


def test_a_format_that_the_upstream_lacks(folder: Path):
    """It is refused by name, not sent and hoped for."""
    upstream = describe("openai", "http://h", folder, 'features = ["json"]')
    with pytest.raises(Unsupported, match="json_schema"):
        write(upstream, response_format=ResponseFormat("json_schema", SCHEMA))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_mistral_continues_a_prefix(dialect: str, folder: Path):
    """The others have no word for it."""
    messages = (*HELLO, Message("assistant", "Well", prefix=True))
    upstream = describe(dialect, "http://h", folder)
    if dialect == "mistral":
        assert write(upstream, messages)["messages"][1]["prefix"] is True
        return
    with pytest.raises(Unsupported, match="prefix"):
        write(upstream, messages)


def test_the_safe_prompt_by_its_name(folder: Path):
    """Mistral's own service knows what to say."""
    assert write(describe("mistral", "http://h", folder), safe_prompt=True)["safe_prompt"] is True


def test_extras_are_handed_on(folder: Path):
    """Those that the gateway let through, at the root; they replace nothing of ours."""
    body = write(describe("openai", "http://h", folder), extras={"effort": "low", "messages": []})

    assert ("low", 1) == (body["effort"], len(body["messages"]))


@pytest.mark.parametrize(
    ("prompt", "expected"), [(("Once", " upon"), "Once upon"), ((Tokens((1, 2)),), [1, 2])]
)
def test_text_completions(prompt: Any, expected: Any, folder: Path):
    """Text as it stands, tokens as a list, and log-probabilities by their number."""
    upstream = describe("openai", "http://h", folder)
    body = write_body(Generation(prompt=prompt, incremental=False, logprobs=1), upstream)

    assert {"model": "Far", "prompt": expected, "temperature": 0.7, "logprobs": 1} == body


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        ("azure", {"messages": [], "stream": True},
         {"Accept": "text/event-stream", "Authorization": "Bearer K", "api-key": "K"}),
        ("azure", {"messages": [], "logprobs": True},
         {"Accept": "application/json", "Authorization": "Bearer K", "api-key": "K",
          "extra-parameters": "pass-through"}),
        ("openai", {"logprobs": True},
         {"Accept": "application/json", "Authorization": "Bearer K"}),
        ("mistral", {}, {"Accept": "application/json", "Authorization": "Bearer K"}),
    ],
)  # fmt: skip
def test_headers(dialect: str, body: dict[str, Any], expected: dict[str, str], folder: Path):
    """Both places for a key at Azure, and leave for what its schema lacks."""
    assert expected == write_headers(body, "K", describe(dialect, "http://h", folder).dialect)


def test_no_key_is_no_header(folder: Path):
    """An upstream on one's own machine may want none."""
    headers = write_headers({}, None, describe("azure", "http://h", folder).dialect)

    assert {"Accept": "application/json"} == headers


def test_filling_in(folder: Path):
    """Prompt and suffix as they are; what the caller left open is the upstream's to choose."""
    upstream = describe("mistral", "http://h", folder, "features = ['fim']")
    asked = TextRequest(prompts=("def f(",), suffix="return x", seed=3)
    request = Generation(prompt=("def f(",), seed=3, incremental=False, completion=asked)

    expected = {"model": "Far", "prompt": "def f(", "suffix": "return x", "random_seed": 3}
    assert expected == write_body(request, upstream)
