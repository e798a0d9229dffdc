"""The OpenAI SDK against `/v1`, at one endpoint and project-wide."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import openai
import pytest

from tests.clients.samples import (
    ANSWER_SCHEMA,
    CHAT,
    SHORT_FLIGHT_TOOL,
    TRAVEL,
    WEATHER_TOOL,
    get_flight_info,
)
from tests.running import Running

MODEL = "Cupola-Pilot"


@pytest.fixture(scope="module", params=["endpoint", "project"])
def client(request: pytest.FixtureRequest, running: Running) -> Iterator[openai.OpenAI]:
    """At one endpoint the model is given; project-wide the body's `model` chooses."""
    root = running.target_uri if request.param == "endpoint" else running.url
    with openai.OpenAI(base_url=f"{root}/v1", api_key=running.key, max_retries=0) as client:
        yield client


def _ask(client: openai.OpenAI, **more: Any) -> Any:
    """The sample chat, unless `more` says otherwise. Untyped: the samples are plain JSON."""
    create: Any = client.chat.completions.create
    return create(**{"model": MODEL, "messages": CHAT, **more})


def test_a_chat_is_answered(client: openai.OpenAI) -> None:
    """Text, model, usage, and a reason to stop."""
    reply = _ask(client, max_tokens=16, temperature=0.5, seed=7)

    assert ("chat.completion", MODEL) == (reply.object, reply.model)
    assert reply.choices[0].message.content
    assert reply.choices[0].finish_reason in ("stop", "length")
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == reply.usage.total_tokens


def test_a_stream_with_usage_ends_in_a_chunk_of_its_own(client: openai.OpenAI) -> None:
    """`include_usage`: a last chunk without choices that holds the usage."""
    chunks = list(_ask(client, max_tokens=8, stream=True, stream_options={"include_usage": True}))

    *texts, last = chunks
    assert "assistant" == texts[0].choices[0].delta.role
    assert texts[-1].choices[0].finish_reason in ("stop", "length")
    assert [] == last.choices
    assert last.usage.total_tokens > 0


def test_a_stream_without_usage_has_choices_throughout(client: openai.OpenAI) -> None:
    """Programs index `choices[0]` in every chunk unless they asked for usage."""
    chunks = list(_ask(client, max_tokens=8, stream=True))

    assert all(chunk.choices for chunk in chunks)


def test_a_json_schema_is_obeyed(client: openai.OpenAI) -> None:
    """`response_format` of type `json_schema` holds by construction."""
    wanted = {"name": "answer", "schema": ANSWER_SCHEMA, "strict": True}

    reply = _ask(client, response_format={"type": "json_schema", "json_schema": wanted})

    jsonschema.validate(json.loads(reply.choices[0].message.content), ANSWER_SCHEMA)


def test_a_tool_round_trip_runs(client: openai.OpenAI) -> None:
    """A required call, sent back with its result, is answered."""
    tools = [SHORT_FLIGHT_TOOL, WEATHER_TOOL]
    choice = {"type": "function", "function": {"name": "get_flight_info"}}

    message = _ask(client, messages=TRAVEL, tools=tools, tool_choice=choice).choices[0].message
    results = [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": json.dumps(get_flight_info(**json.loads(call.function.arguments))),
        }
        for call in message.tool_calls
    ]
    answered = _ask(client, messages=[*TRAVEL, message, *results], tools=tools, max_tokens=64)

    assert {"get_flight_info"} == {call.function.name for call in message.tool_calls}
    assert answered.choices[0].finish_reason


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    """`models.list` has the deployed model, `models.retrieve` gives the same by its id."""
    models = client.models.list().data

    assert models
    assert models[0].id == client.models.retrieve(models[0].id).id


def test_a_wrong_key_is_an_authentication_error(client: openai.OpenAI) -> None:
    """The SDK's own class, with a message."""
    with pytest.raises(openai.AuthenticationError) as raised:
        _ask(client.with_options(api_key="0123456789abcdef0123456789abcdef"))

    assert "key" in raised.value.message


def test_a_wrong_type_is_an_invalid_request(client: openai.OpenAI) -> None:
    """400 or 422, and the field is named."""
    with pytest.raises((openai.BadRequestError, openai.UnprocessableEntityError)) as raised:
        _ask(client, temperature="hot")

    assert "temperature" in raised.value.message


def test_an_unknown_model_is_not_found(running: Running) -> None:
    """Project-wide, where the body's `model` chooses, a name we do not serve is a 404."""
    with (
        openai.OpenAI(base_url=f"{running.url}/v1", api_key=running.key) as client,
        pytest.raises(openai.NotFoundError) as raised,
    ):
        _ask(client, model="no-such-model")

    assert "no-such-model" in raised.value.message
