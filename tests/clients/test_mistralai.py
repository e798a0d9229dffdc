"""Mistral's own SDK: its native class at `/v1`, its Azure class at `/models`."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from mistralai.azure.client import MistralAzure
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError

from tests.clients.samples import (
    ANSWER_SCHEMA,
    CHAT,
    SHORT_FLIGHT_TOOL,
    TOOL_CALL_ID,
    TRAVEL,
    get_flight_info,
)
from tests.running import Running

MODEL = "Cupola-Pilot"


@pytest.fixture(scope="module", params=["native", "azure"])
def chat(request: pytest.FixtureRequest, running: Running) -> Iterator[Any]:
    """`client.chat` of either class: same methods, same models, different routes.

    Untyped, because the two classes' request types differ by module only.
    """
    kind: Any = MistralAzure if request.param == "azure" else Mistral
    with kind(api_key=running.key, server_url=running.target_uri) as client:
        yield client.chat


def test_a_chat_is_answered(chat: Any) -> None:
    """With parameters that only this dialect has."""
    reply = chat.complete(
        model=MODEL, messages=CHAT, max_tokens=16, random_seed=7, safe_prompt=False
    )

    assert "chat.completion" == reply.object
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert reply.usage.prompt_tokens > 0


def test_a_stream_is_read_to_its_end(chat: Any) -> None:
    """The strictest reader of streams: every choice has a delta, the last has the usage."""
    with chat.stream(model=MODEL, messages=CHAT, max_tokens=8) as events:
        chunks = [event.data for event in events]

    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].usage.total_tokens > 0


def test_a_json_schema_is_obeyed(chat: Any) -> None:
    """`json_schema` holds by construction."""
    wanted = {"name": "answer", "schema": ANSWER_SCHEMA}

    reply = chat.complete(
        model=MODEL,
        messages=CHAT,
        response_format={"type": "json_schema", "json_schema": wanted},
    )

    jsonschema.validate(json.loads(reply.choices[0].message.content), ANSWER_SCHEMA)


def test_a_tool_round_trip_runs(chat: Any) -> None:
    """`any` is Mistral's word for required; the result goes back with the function's name."""
    reply = chat.complete(
        model=MODEL, messages=TRAVEL, tools=[SHORT_FLIGHT_TOOL], tool_choice="any"
    )
    message = reply.choices[0].message
    results = [
        {
            "role": "tool",
            "name": call.function.name,
            "tool_call_id": call.id,
            "content": json.dumps(get_flight_info(**json.loads(call.function.arguments))),
        }
        for call in message.tool_calls
    ]
    conversation = [*TRAVEL, message.model_dump(exclude_none=True), *results]

    answered = chat.complete(
        model=MODEL, messages=conversation, tools=[SHORT_FLIGHT_TOOL], max_tokens=64
    )

    assert all(re.fullmatch(TOOL_CALL_ID, call.id) for call in message.tool_calls)
    assert answered.choices[0].finish_reason


@pytest.fixture
def native(running: Running) -> Iterator[Any]:
    """The native class, untyped for the same reason."""
    with Mistral(api_key=running.key, server_url=running.target_uri) as client:
        yield client


def test_a_wrong_key_is_an_sdk_error(running: Running) -> None:
    """401, in words."""
    with (
        Mistral(api_key="0" * 32, server_url=running.target_uri) as client,
        pytest.raises(SDKError) as raised,
    ):
        client.models.list()

    assert 401 == raised.value.status_code
    assert "key" in raised.value.body


def test_an_invalid_body_can_be_parsed(native: Any) -> None:
    """A 422 of `/v1` has `detail` as a list of faults, the one form that this SDK can read."""
    with pytest.raises(HTTPValidationError) as raised:
        native.chat.complete(model=MODEL, messages=CHAT, top_p=7.5)

    assert "top_p" in str(raised.value.data.detail)


def test_the_safety_prompt_is_part_of_the_prompt(chat: Any) -> None:
    """`safe_prompt` puts a paragraph before the conversation, and it is counted."""
    without, with_it = (
        chat.complete(model=MODEL, messages=CHAT, max_tokens=1, safe_prompt=safe).usage
        for safe in (False, True)
    )

    assert with_it.prompt_tokens > without.prompt_tokens + 9


def test_the_models_are_listed(native: Any) -> None:
    """With Mistral's own card: capabilities and the length of the context."""
    cards = native.models.list().data

    assert cards
    assert cards[0].capabilities.completion_chat
    assert cards[0].max_context_length
