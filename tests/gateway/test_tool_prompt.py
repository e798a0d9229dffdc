"""Tools for models that were trained on no form for calls."""

from dataclasses import replace
from typing import Any

from cupola.gateway.layout import Layout
from cupola.gateway.prepare import render
from cupola.kit.clock import FakeClock
from cupola.wire.canonical import ChatRequest, Message, Tool, ToolCall
from tests.gateway.fakes import PROFILE

OLD = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} "
    "[/INST]{% elif m['role'] == 'assistant' %}{{ m['content'] }}{{ eos_token }}{% endif %}"
    "{% endfor %}"
)
"""The layout of Mistral-7B v0.1: no system message, no tools, no results."""
FLIGHT = Tool("get_flight", "Finds a flight.", {"type": "object"})
USER = Message("user", "From Lima?")
CALL = Message("assistant", "", (ToolCall("abc0dF1gh", "get_flight", '{"from": "Lima"}'),))
RESULT = Message("tool", "none today", tool_call_id="abc0dF1gh")


def prompt(*messages: Message, **fields: Any) -> str:
    layout = Layout(replace(PROFILE, chat_template=OLD, tool_calls_token=None), FakeClock())
    assert not layout.takes_tools
    [piece] = render(ChatRequest(messages, **fields), layout)
    return str(piece)


def test_functions_are_told_in_words():
    """In the system message, which such a model reads with the user's first."""
    told = prompt(USER, tools=(FLIGHT,))

    assert told.startswith("<s>[INST] You can call these functions.")
    assert '{"name": "FUNCTION", "parameters": {...}}' in told
    assert '{"name": "get_flight", "description": "Finds a flight.", "parameters"' in told
    assert told.endswith("\n\nFrom Lima? [/INST]")


def test_the_callers_system_message_comes_first():
    """And stays one message with what is told."""
    told = prompt(Message("system", "Be brief."), USER, tools=(FLIGHT,))

    assert told.startswith("<s>[INST] Be brief.\n\nYou can call these functions.")


def test_what_was_called_is_shown_as_it_was_said():
    """The call in the form that was asked for, results in one turn of the user."""
    both = Message("assistant", "", (*CALL.tool_calls, ToolCall("b", "get_flight", "{}")))
    second = Message("tool", "one", tool_call_id="b")
    told = prompt(USER, both, RESULT, second)

    assert '{"name": "get_flight", "parameters": {"from": "Lima"}}\n{"name"' in told
    assert "The function returned: none today\n\nThe function returned: one [/INST]" in told


def test_a_template_that_shows_tools_is_left_alone():
    """The model was trained on its own form."""
    layout = Layout(PROFILE, FakeClock())

    assert layout.takes_tools
    [piece] = render(ChatRequest((USER, CALL, RESULT), tools=(FLIGHT,)), layout)
    assert "You can call these functions" not in str(piece)
