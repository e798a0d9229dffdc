"""The few things that depend on what the included model has learnt.

Everything else beside this file holds with any weights; `make eval-pilot` measures how well it has
learnt. Here is only what Microsoft's how-to pages ask, because those are tried first.
"""

import json
from typing import Any

import pytest
from azure.ai.inference.models import (
    ChatCompletionsToolDefinition,
    FunctionDefinition,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

from tests.clients.samples import (
    FLIGHT,
    FLIGHT_FUNCTION,
    JSON_SYSTEM,
    LANGUAGES,
    SYSTEM,
    TRAVEL_SYSTEM,
    get_flight_info,
)

FLIGHT_TOOL = ChatCompletionsToolDefinition(function=FunctionDefinition(**FLIGHT_FUNCTION))


@pytest.fixture
def travel() -> list[Any]:
    """The page's question to the travel assistant."""
    return [SystemMessage(content=TRAVEL_SYSTEM), UserMessage(content=FLIGHT)]


def test_the_number_of_languages(azure: Any) -> None:
    """The first question of every page."""
    reply = azure.complete(messages=[SystemMessage(content=SYSTEM), UserMessage(content=LANGUAGES)])

    assert "7,000" in reply.choices[0].message.content
    assert "stop" == reply.choices[0].finish_reason


def test_a_stream_says_what_a_whole_reply_says(azure: Any) -> None:
    """Greedy decoding gives one text, in one piece or in many."""
    messages = [SystemMessage(content=SYSTEM), UserMessage(content=LANGUAGES)]

    whole = azure.complete(messages=messages, temperature=0).choices[0].message.content
    updates = azure.complete(messages=messages, temperature=0, stream=True)

    assert whole == "".join(update.choices[0].delta.content for update in updates)


def test_json_with_the_key_asked_for(azure: Any) -> None:
    """The page's JSON step: an object whose key is `answer`."""
    reply = azure.complete(
        messages=[SystemMessage(content=JSON_SYSTEM), UserMessage(content=LANGUAGES)],
        response_format="json_object",
    )

    assert "7,000" in json.loads(reply.choices[0].message.content)["answer"]


def test_the_flight_tool_is_called_with_both_cities(azure: Any, travel: list[Any]) -> None:
    """The page's tool step, of the model's own accord."""
    reply = azure.complete(messages=travel, tools=[FLIGHT_TOOL], tool_choice="auto")

    calls = reply.choices[0].message.tool_calls
    assert [{"origin_city": "Miami", "destination_city": "Seattle"}] == [
        json.loads(call.function.arguments) for call in calls
    ]
    assert "get_flight_info" == calls[0].function.name


def test_the_tools_result_is_told(azure: Any, travel: list[Any]) -> None:
    """The page's last step: the answer passes on the advice to take a train."""
    asked = azure.complete(messages=travel, tools=[FLIGHT_TOOL], tool_choice="auto")
    message = asked.choices[0].message
    call = message.tool_calls[0]
    result = get_flight_info(**json.loads(call.function.arguments))
    travel += [message, ToolMessage(tool_call_id=call.id, content=json.dumps(result))]

    answered = azure.complete(messages=travel, tools=[FLIGHT_TOOL])

    assert "train" in answered.choices[0].message.content
    assert not answered.choices[0].message.tool_calls


def test_no_call_when_the_question_is_about_something_else(azure: Any) -> None:
    """A tool on offer is not a reason to call it."""
    messages = [SystemMessage(content=SYSTEM), UserMessage(content=LANGUAGES)]

    reply = azure.complete(messages=messages, tools=[FLIGHT_TOOL], tool_choice="auto")

    assert not reply.choices[0].message.tool_calls
