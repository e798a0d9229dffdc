"""A request becomes a prompt in the model's own layout, and a constraint for the decoder."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.engines.port import Generation, JsonOutput, ToolOutput
from cupola.gateway.layout import Layout
from cupola.gateway.plan import plan_chat
from cupola.gateway.prepare import Layouts, constraint, render
from cupola.kit.clock import FakeClock
from cupola.kit.errors import Invalid, Unavailable
from cupola.wire.canonical import (
    ChatRequest,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
)
from pilot.render import render_prompt
from tests.gateway.fakes import PROFILE, FixedPool, served

USER = Message("user", "Hi")
F, G = Tool("f", "Does f.", {"type": "object"}), Tool("g")
JSON = ResponseFormat("json_object")
ANY_OBJECT = JsonOutput({"type": "object"})


def layout_of(template: str) -> Layout:
    return Layout(replace(PROFILE, chat_template=template), FakeClock())


def prompt(template: str, *messages: Message, **fields: Any) -> str:
    pieces = render(ChatRequest(messages, **fields), layout_of(template))
    assert 1 == len(pieces)
    return str(pieces[0])


def generation(**fields: Any) -> Generation:
    layout = Layout(PROFILE, FakeClock())
    return plan_chat(ChatRequest((USER,), **fields), served(FixedPool([])), layout).generations[0]


def test_the_included_model_is_prompted_as_it_was_trained():
    """Character for character, with tools, a call and its result."""
    call = ToolCall("abc0dF1gh", "f", '{"a":"é"}')
    messages = (
        Message("system", "Be brief."),
        USER,
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", '{"b": 1}', tool_call_id="abc0dF1gh"),
    )
    function = {"name": "f", "description": "Does f.", "parameters": {"type": "object"}}
    made = {"id": "abc0dF1gh", "type": "function"}
    plain: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{**made, "function": {"name": "f", "arguments": {"a": "é"}}}],
        },
        {"role": "tool", "content": '{"b": 1}', "tool_call_id": "abc0dF1gh"},
    ]

    expected = render_prompt(plain, [{"type": "function", "function": function}])
    assert expected == prompt(PROFILE.chat_template, *messages, tools=(F,))


def test_templates_have_what_transformers_gives_them():
    """JSON is not escaped for HTML, blocks leave no lines, loops can be left."""
    template = (
        "{%- for m in messages %}\n"
        "    {%- if loop.index > 1 %}{% break %}{% endif %}\n"
        "{{ m | tojson }} {{ strftime_now('%Y') }} {{ add_generation_prompt }}\n"
        "{%- endfor %}"
    )

    expected = '{"role": "user", "content": "<é&>"} 2023 True'
    assert expected == prompt(template, Message("user", "<é&>"), USER).strip()


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('Only pairs, please.') }}", "Only pairs, please."),
        ("{{ messages[0].content + 1 }}", "concatenate"),
        ("{{ messages[7].content.x }}", "no element 7"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "does not end"),
    ],
)
def test_a_template_that_refuses_is_a_bad_request(template: str, said: str):
    """With its own words; and a template can do nothing but write."""
    with pytest.raises(Invalid) as refused:
        prompt(template, USER)

    assert said in refused.value.public


def test_a_template_that_cannot_be_read_is_our_fault():
    """Not the caller's."""
    with pytest.raises(Unavailable):
        layout_of("{% if %}")


ALTERNATING = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Alternate!') }}"
    "{% endif %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((Message("system", "S"), USER), "<s>u:S\n\nHi;"),
        ((Message("system", "S"),), "<s>u:S;"),
        ((Message("system", "S"), Message("assistant", "A"), USER), "<s>u:S;a:A;u:Hi;"),
        ((USER, Message("assistant", "A"), Message("system", "S"), USER),
         "<s>u:Hi;a:A;u:S\n\nHi;"),
    ],
)  # fmt: skip
def test_system_text_reaches_models_without_a_system_role(
    messages: tuple[Message, ...], expected: str
):
    """As part of the user's: before the text that follows, or as a turn of its own."""
    assert expected == prompt(ALTERNATING, *messages)


def test_a_prefix_that_the_template_loses_is_refused():
    """Better than a reply that continues something else."""
    with pytest.raises(Invalid):
        prompt("{{ messages[0].content }}", USER, Message("assistant", "Well", prefix=True))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"response_format": JSON}, ANY_OBJECT),
        (
            {"response_format": ResponseFormat("json_schema", {"type": "array"})},
            JsonOutput({"type": "array"}),
        ),
        ({"tools": (F, G)}, ToolOutput((F, G), "auto", True)),
        ({"tools": (F, G), "response_format": JSON}, ToolOutput((F, G), "auto", True, ANY_OBJECT)),
        ({"tools": (F, G), "tool_choice": ToolChoice("none")}, None),
        (
            {"tools": (F, G), "tool_choice": ToolChoice("none"), "response_format": JSON},
            ANY_OBJECT,
        ),
        (
            {"tools": (F, G), "tool_choice": ToolChoice("required"), "parallel_tool_calls": False},
            ToolOutput((F, G), "required", False),
        ),
        (
            {"tools": (F, G), "tool_choice": ToolChoice("required", "g")},
            ToolOutput((G,), "required", False),
        ),
        ({"tool_choice": ToolChoice("auto")}, None),
    ],
    ids=range(10),
)
def test_what_the_decoder_is_held_to(fields: dict[str, Any], expected: object):
    """Tools, the choice among them and the format of text become one constraint."""
    assert expected == constraint(ChatRequest((USER,), **fields))


def test_tools_are_shown_even_if_none_may_be_called():
    """The prompt stays the same, so the engine's cache of it serves."""
    none = prompt(PROFILE.chat_template, USER, tools=(F,), tool_choice=ToolChoice("none"))

    assert prompt(PROFILE.chat_template, USER, tools=(F,)) == none
    assert "[AVAILABLE_TOOLS]" in none


def test_defaults_and_greed():
    """The endpoint's temperature unless one is asked for; an empty nucleus is greedy."""
    assert served(FixedPool([])).default_temperature == generation().temperature
    assert 0 == generation(temperature=0.0).temperature
    greedy = generation(temperature=1.0, top_p=0.0)
    assert (0.0, 1.0) == (greedy.temperature, greedy.top_p)


def test_a_whole_reply_may_come_at_once():
    """The engine is told that nobody waits for pieces."""
    assert generation(stream=True).incremental
    assert not generation().incremental


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=VALUES, indent=st.integers(0, 5))
def test_json_is_indented_as_python_does(value: Any, indent: int):
    """Character for character, whatever it is: models were trained on nothing else."""
    layout = layout_of(f"{{{{ messages[0].content | tojson(indent={indent}) }}}}")
    expected = json.dumps(value, indent=indent, ensure_ascii=False)

    assert expected == layout.render([{"content": value}], None, opening=True)


def test_a_template_is_compiled_once():
    """And kept for its profile, not for an equal one that may differ tomorrow."""
    layouts = Layouts(FakeClock())

    assert layouts.of(PROFILE) is layouts.of(PROFILE)
    assert layouts.of(replace(PROFILE)) is not layouts.of(PROFILE)
