"""Functions that Llama 3.1 knows by heart, from a caller's JSON to the decoder and back: a tiny
model of random weights behind the gateway, which can only say what its grammar lets it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from cupola.catalog.store import EntryFiles
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Profile, ToolOutput
from cupola.gateway.layout import Layout
from cupola.gateway.plan import plan_chat
from cupola.kit.clock import FakeClock
from cupola.wire.canonical import ChatRequest, Message, Tool, ToolCall, ToolChoice
from tests.gateway.fakes import PROFILE, Caller, FixedPool, Response, gateway_of, served
from tests.models import MESSAGE_END, PYTHON_TAG, build_tiny_model, write_bytes

QUERY = {"type": "object", "properties": {"query": {"type": "string", "maxLength": 8}},
         "required": ["query"]}  # fmt: skip
COUNTED = {"type": "object", "properties": {"query": {"type": "string"}, "n": {"type": "integer"}}}
SEARCH, RUN = (
    Tool("brave_search", parameters=QUERY),
    Tool(
        "code_interpreter",
        parameters={
            "type": "object",
            "properties": {"code": {"type": "string"}},
            "required": ["code"],
        },
    ),
)
FIND = Tool("find")
USER = Message("user", "Hi")
BRACE = 7 + write_bytes().index("{")
NAMING = (
    "{{ bos_token }}{% if builtin_tools is defined %}Tools: {{ builtin_tools | join(', ') }}\n"
    "{% endif %}{% if tools is not none %}{{ tools | tojson }}{% endif %}"
    "{% for message in messages %}{% if 'tool_calls' in message %}"
    "{% set call = message.tool_calls[0].function %}"
    "{% if builtin_tools is defined and call.name in builtin_tools %}{{ call.name }}.call("
    "{% for name, value in call.arguments | items %}{{ name + '=\"' + value + '\"' }}{% endfor %})"
    "{% else %}{{ call.arguments | tojson }}{% endif %}"
    "{% else %}{{ message.content }}{% endif %}{% endfor %}"
)
"""In the way of the templates that files of Llama 3.1 carry."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("weights") / "llama.gguf", llama=True)


@pytest.fixture
async def caller(weights: Path, tmp_path: Path) -> AsyncIterator[Caller]:
    replica = LlamaCppReplica(
        weights,
        tmp_path / "run",
        slots=2,
        context_length=2048,
        threads=1,
        log_folder=tmp_path / "log",
    )
    await replica.start()
    profile = replace(replica.profile, chat_template=EntryFiles().find_template("llama-3.1") or "")
    yield Caller(gateway_of(replace(served(FixedPool([replica])), profile=profile)))
    await replica.stop()


def shown(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool.name, "parameters": tool.parameters}}


async def ask(caller: Caller, path: str = "/chat/completions", **fields: Any) -> Response:
    body = {
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [shown(SEARCH), shown(FIND)],
        "seed": 1,
        "max_tokens": 400,
        **fields,
    }
    headers = {"extra-parameters": "pass-through"}
    return await caller.call(f"/endpoints/pilot{path}", body, headers=headers)


def bias(*, brace: float = 0, tag: float = 0, end: float = 0) -> dict[str, float]:
    return {str(BRACE): brace, str(PYTHON_TAG): tag, str(MESSAGE_END): end}


def read_stream(response: Response) -> list[dict[str, Any]]:
    """The deltas of a stream and its reason to end, in one list."""
    lines = [line for line in response.body.split(b"\n\n") if line.startswith(b"data: {")]
    choices = [choice for line in lines for choice in msgspec.json.decode(line[6:])["choices"]]
    return [{**choice["delta"], "reason": choice.get("finish_reason")} for choice in choices]


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions"])
@pytest.mark.parametrize("end", [100, -100], ids=["eom", "eot"])
async def test_a_call_in_the_form_is_a_call(caller: Caller, path: str, end: float) -> None:
    """Without braces only the form is left: the reply is an ordinary call, whichever end it has."""
    bans = bias(brace=-100, end=end)
    response = await ask(caller, path, tool_choice="required", logit_bias=bans)

    [choice] = response.json["choices"]
    [call] = choice["message"]["tool_calls"]
    assert ("tool_calls", "brave_search") == (choice["finish_reason"], call["function"]["name"])
    jsonschema.validate(json.loads(call["function"]["arguments"]), QUERY)
    assert not choice["message"]["content"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/chat/completions", {}),
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"stream_options": {"include_usage": True}}),
    ],
    ids=["azure", "mistral", "openai"],
)
@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_a_streamed_call_in_the_form(
    caller: Caller, path: str, fields: dict[str, Any], choice: str
) -> None:
    """Nothing but the call and its reason comes, in every dialect."""
    bans = bias(brace=-100, tag=100)
    response = await ask(caller, path, tool_choice=choice, logit_bias=bans, stream=True, **fields)

    deltas = read_stream(response)
    [call] = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert "brave_search" == call["function"]["name"]
    jsonschema.validate(json.loads(call["function"]["arguments"]), QUERY)
    assert "tool_calls" == deltas[-1]["reason"]
    assert "" == "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("shows", [True, False], ids=["shown", "skipped"])
async def test_a_tag_before_a_call_in_json(caller: Caller, shows: bool) -> None:
    """It is no text, not even where control tokens are shown."""
    response = await ask(
        caller,
        tools=[shown(FIND)],
        logit_bias=bias(tag=100, end=100),
        skip_special_tokens=not shows,
    )

    [choice] = response.json["choices"]
    [call] = choice["message"]["tool_calls"]
    assert ("find", "{}") == (call["function"]["name"], call["function"]["arguments"])
    assert not choice["message"]["content"]


async def test_a_function_that_must_be_called(caller: Caller) -> None:
    """One known by heart does not stand in for another that was chosen."""
    choice = {"type": "function", "function": {"name": "find"}}
    response = await ask(caller, tool_choice=choice, logit_bias=bias(tag=100))

    [call] = response.json["choices"][0]["message"]["tool_calls"]
    assert "find" == call["function"]["name"]


async def test_without_tools_there_is_no_tag(caller: Caller) -> None:
    """However much the model wants it."""
    for name, value in (("tools", []), ("tool_choice", "none")):
        fields: dict[str, Any] = {name: value}
        response = await ask(caller, logit_bias=bias(tag=100), max_tokens=8, **fields)
        [choice] = response.json["choices"]
        assert not choice["message"].get("tool_calls")
        assert "python_tag" not in choice["message"]["content"]


def plan(*messages: Message, template: str = NAMING, **fields: Any) -> tuple[str, tuple[str, ...]]:
    """The prompt, and which functions the decoder lets the model call by heart."""
    profile: Profile = replace(
        PROFILE, chat_template=template, tool_calls_token=None, calls_by_heart=True
    )
    request = ChatRequest(messages or (USER,), **{"tools": (SEARCH, RUN, FIND), **fields})
    layout = Layout(profile, FakeClock())
    [generation] = plan_chat(request, served(FixedPool([])), layout).generations
    constraint = generation.constraint
    by_heart = constraint.by_heart if isinstance(constraint, ToolOutput) else ()
    return "".join(map(str, generation.prompt)), by_heart


def test_a_template_is_told_which_functions_are_known() -> None:
    """By name; the others are shown to it."""
    prompt, by_heart = plan()

    assert prompt.startswith("<s>Tools: brave_search, code_interpreter\n[{")
    assert '"name": "find"' in prompt
    assert ("brave_search", "code_interpreter") == by_heart
    assert "<s>Tools: brave_search\nHi" == plan(tools=(SEARCH,))[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tool_choice": ToolChoice("none")}, ()),
        ({"tool_choice": ToolChoice("required")}, ("brave_search", "code_interpreter")),
        ({"tool_choice": ToolChoice("required", "find")}, ()),
        ({"tool_choice": ToolChoice("required", "brave_search")}, ("brave_search",)),
    ],
)
def test_the_choice_narrows_the_decoder_alone(
    fields: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """The prompt stays, so that its cache holds."""
    assert (plan()[0], expected) == plan(**fields)


@pytest.mark.parametrize(
    "changes",
    [
        {"tools": (Tool("brave_search", parameters=COUNTED),)},
        {"tools": (Tool("brave_search"),)},
        {"tools": (FIND,)},
        {"template": NAMING.replace("builtin_tools", "others")},
    ],
    ids=["schema", "no schema", "name", "template"],
)
def test_other_functions_are_shown_as_all_are(changes: dict[str, Any]) -> None:
    """Also where the model's template has no place for names alone."""
    prompt, by_heart = plan(**changes)

    assert () == by_heart
    assert prompt.startswith("<s>[{")


@pytest.mark.parametrize("arguments", ['{"query": 7}', '{"q": "a"}', "{}"])
def test_a_call_before_that_the_form_cannot_show(arguments: str) -> None:
    """The caller's history stays what it was, and so the function is shown."""
    before = (
        USER,
        Message("assistant", tool_calls=(ToolCall("abc0dF1gh", "brave_search", arguments),)),
        Message("tool", "1", tool_call_id="abc0dF1gh"),
    )
    prompt, by_heart = plan(*before)

    assert ("code_interpreter",) == by_heart
    assert arguments in prompt
    assert (
        'brave_search.call(query="a")'
        in plan(*(replace_arguments(message, '{"query": "a"}') for message in before))[0]
    )


def replace_arguments(message: Message, arguments: str) -> Message:
    calls = tuple(ToolCall(call.id, call.name, arguments) for call in message.tool_calls)
    return Message(message.role, message.content, calls, message.tool_call_id)
