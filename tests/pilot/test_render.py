"""The layout of the conversation, and its twin in Jinja."""

import json
from typing import Any

import pytest

from pilot.conversation import Check, Conversation
from pilot.render import CHAT_TEMPLATE, render, render_prompt

jinja2 = pytest.importorskip("jinja2")

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Wetter für einen Ort",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "abc0dF1gh",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": "Köln"}},
        }
    ],
}
USER = {"role": "user", "content": "Weather in Köln?"}


def with_template(messages: list[Any], tools: list[Any] | None = None) -> str:
    def refuse(message: str) -> None:
        raise ValueError(message)

    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = refuse
    template = environment.from_string(CHAT_TEMPLATE)
    return template.render(messages=messages, tools=tools, bos_token="<s>", eos_token="</s>")


def test_plain_turns() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    assert render_prompt(messages) == "<s>[INST] Hi[/INST] Hello</s>[INST] Bye[/INST]"


def test_system_text_and_tools_stand_before_the_last_user_text() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        USER,
    ]
    text = render_prompt(messages, [WEATHER])
    assert text.startswith("<s>[INST] Hi[/INST] Hello</s>[AVAILABLE_TOOLS] [{")
    assert text.endswith("}}][/AVAILABLE_TOOLS][INST] Be brief.\n\nWeather in Köln?[/INST]")


def test_the_final_call_is_learned_without_its_id() -> None:
    segments = render(Conversation("tools.call", (USER, CALL), Check(), (WEATHER,)))
    assert segments[-1].learned
    assert segments[-1].text == (
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Köln"}}]</s>'
    )


def test_a_call_in_the_history_keeps_its_id_and_is_not_learned() -> None:
    result = {"role": "tool", "tool_call_id": "abc0dF1gh", "content": '{"sky":"grey"}'}
    reply = {"role": "assistant", "content": "It is grey."}
    segments = render(Conversation("tools.result", (USER, CALL, result, reply), Check()))
    assert [segment.learned for segment in segments] == [False, False, False, False, True]
    assert "".join(segment.text for segment in segments) == (
        "<s>[INST] Weather in Köln?[/INST][TOOL_CALLS] "
        '[{"name": "get_weather", "arguments": {"city": "Köln"}, "id": "abc0dF1gh"}]</s>'
        '[TOOL_RESULTS] {"content": {"sky": "grey"}, "call_id": "abc0dF1gh"}[/TOOL_RESULTS]'
        " It is grey.</s>"
    )


@pytest.mark.parametrize(
    "content", ['{"sky": "grey"}', "[1, 2]", "21", "21.5", "true", "21 degrees", 'a "b"', ""]
)
@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_template_agrees(content: str, role: str) -> None:
    written = json.loads(json.dumps(CALL))
    written["tool_calls"][0]["function"]["arguments"] = '{"city": "Köln"}'
    for call in (CALL, written):
        messages = [
            {"role": role, "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
            call,
            {"role": "tool", "tool_call_id": "abc0dF1gh", "content": content},
            {"role": "tool", "tool_call_id": "abc0dF1gi", "content": content},
        ]
        for tools in ([], [WEATHER, WEATHER], [{"type": "function", "function": {"name": "f"}}]):
            assert with_template(messages, tools) == render_prompt(messages, tools)
            assert with_template(messages[:1], tools) == render_prompt(messages[:1], tools)


def test_unknown_roles_are_refused() -> None:
    messages = [{"role": "owl", "content": "Hoot"}]
    with pytest.raises(ValueError, match="unknown role: owl"):
        render_prompt(messages)
    with pytest.raises(ValueError, match="unknown role: owl"):
        with_template(messages)
