"""The tool steps of Microsoft's how-to pages, run by azure-ai-inference.

Whether a model calls of its own accord is a matter of learning (`test_sense.py`); that
`required`, a named function and `none` are obeyed, and that a call can be sent back, is a matter
of decoding.
"""

import json
import re
from typing import Any

import pytest
from azure.ai.inference.models import (
    ChatCompletionsNamedToolChoice,
    ChatCompletionsNamedToolChoiceFunction,
    ChatCompletionsToolCall,
    ChatCompletionsToolChoicePreset,
    ChatCompletionsToolDefinition,
    FunctionDefinition,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

from tests.clients.samples import (
    FLIGHT,
    SHORT_FLIGHT_FUNCTION,
    TOOL_CALL_ID,
    TRAVEL_SYSTEM,
    WEATHER_FUNCTION,
    get_flight_info,
)

FLIGHT_TOOL = ChatCompletionsToolDefinition(function=FunctionDefinition(**SHORT_FLIGHT_FUNCTION))
WEATHER_TOOL = ChatCompletionsToolDefinition(function=FunctionDefinition(**WEATHER_FUNCTION))


@pytest.fixture
def messages() -> list[Any]:
    """The page's conversation, to which a test may add."""
    return [SystemMessage(content=TRAVEL_SYSTEM), UserMessage(content=FLIGHT)]


def _named(name: str) -> ChatCompletionsNamedToolChoice:
    function = ChatCompletionsNamedToolChoiceFunction(name=name)
    return ChatCompletionsNamedToolChoice(function=function)


def test_a_required_call_is_made(azure: Any, messages: list[Any]) -> None:
    """`required` makes the model call: empty content, nine-character id, arguments as JSON text."""
    required = ChatCompletionsToolChoicePreset.REQUIRED

    response = azure.complete(messages=messages, tools=[FLIGHT_TOOL], tool_choice=required)

    choice = response.choices[0]
    assert ("tool_calls", "") == (choice.finish_reason, choice.message.content)
    for call in choice.message.tool_calls:
        assert ("function", "get_flight_info") == (call.type, call.function.name)
        assert re.fullmatch(TOOL_CALL_ID, call.id)
        assert {"origin_city", "destination_city"} <= json.loads(call.function.arguments).keys()


@pytest.mark.parametrize("name", ["get_flight_info", "get_weather"])
def test_a_named_function_is_the_one_called(azure: Any, messages: list[Any], name: str) -> None:
    """A named function is called, even if the question asks for another."""
    response = azure.complete(
        messages=messages, tools=[FLIGHT_TOOL, WEATHER_TOOL], tool_choice=_named(name)
    )

    assert {name} == {call.function.name for call in response.choices[0].message.tool_calls}


def test_none_never_calls(azure: Any, messages: list[Any]) -> None:
    """With `none` the tools are there to be known, not to be called."""
    response = azure.complete(
        messages=messages, tools=[FLIGHT_TOOL], tool_choice="none", max_tokens=32
    )

    assert not response.choices[0].message.tool_calls
    assert response.choices[0].finish_reason in ("stop", "length")


def test_auto_either_talks_or_calls(azure: Any, messages: list[Any]) -> None:
    """`auto` gives a proper call or proper text, never half of each."""
    response = azure.complete(messages=messages, tools=[FLIGHT_TOOL], tool_choice="auto")

    choice = response.choices[0]
    assert bool(choice.message.tool_calls) == (choice.finish_reason == "tool_calls")
    assert "[TOOL_CALLS]" not in choice.message.content


def test_the_round_trip_of_the_page_runs(azure: Any, messages: list[Any]) -> None:
    """Ask, call the function, send back the very message and the result, get an answer."""
    tools = [FLIGHT_TOOL]
    choice = azure.complete(messages=messages, tools=tools, tool_choice="required").choices[0]

    messages.append(choice.message)
    messages.extend(_answer(call) for call in choice.message.tool_calls)
    answered = azure.complete(messages=messages, tools=tools)

    assert answered.choices[0].finish_reason in ("stop", "length", "tool_calls")
    assert answered.usage.prompt_tokens > 0


def test_a_result_is_read_by_the_model(azure: Any, messages: list[Any]) -> None:
    """A longer result makes a longer prompt: it is not dropped on the way."""
    tools = [FLIGHT_TOOL]
    choice = azure.complete(messages=messages, tools=tools, tool_choice="required").choices[0]
    call = choice.message.tool_calls[0]
    messages.append(choice.message)

    lengths = [
        azure.complete(
            messages=[*messages, *_results(choice, call.id, text)], tools=tools, max_tokens=1
        ).usage.prompt_tokens
        for text in ("no flight", "no flight " * 10)
    ]

    assert lengths[1] > lengths[0] + 9


def test_a_streamed_call_comes_whole(azure: Any, messages: list[Any]) -> None:
    """Each call is in one delta with id, name and all its arguments; the last update has usage."""
    updates = list(
        azure.complete(messages=messages, tools=[FLIGHT_TOOL], tool_choice="required", stream=True)
    )

    calls = [call for u in updates for call in u.choices[0].delta.tool_calls or []]
    assert calls
    for call in calls:
        assert re.fullmatch(TOOL_CALL_ID, call.id)
        assert "get_flight_info" == call.function.name
        assert json.loads(call.function.arguments)
        assert isinstance(call["index"], int)
    assert "tool_calls" == updates[-1].choices[0].finish_reason
    assert updates[-1].usage.total_tokens > 0


def test_deltas_without_a_call_do_not_mention_calls(azure: Any, messages: list[Any]) -> None:
    """`tool_calls: null` in a delta breaks the first C# client, so the key is left out."""
    updates = azure.complete(messages=messages, max_tokens=8, stream=True)

    assert not any("tool_calls" in update.choices[0].delta for update in updates)


def _answer(call: ChatCompletionsToolCall) -> ToolMessage:
    arguments = json.loads(call.function.arguments)
    result = get_flight_info(arguments["origin_city"], arguments["destination_city"])
    return ToolMessage(tool_call_id=call.id, content=json.dumps(result))


def _results(choice: Any, call_id: str, text: str) -> list[ToolMessage]:
    """`text` for one call, something short for the others, if there are others."""
    return [
        ToolMessage(tool_call_id=call.id, content=text if call.id == call_id else "none")
        for call in choice.message.tool_calls
    ]
