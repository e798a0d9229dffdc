"""The Python steps of Microsoft's how-to pages, run by azure-ai-inference: info, chat, JSON.

None of it depends on what the model has learnt; `test_sense.py` has the questions that do.
"""

import json
from typing import Any

import jsonschema
import pytest
from azure.ai.inference.aio import ChatCompletionsClient as AsyncChatCompletionsClient
from azure.ai.inference.models import (
    JsonSchemaFormat,
    SystemMessage,
    UserMessage,
)
from azure.core.credentials import AzureKeyCredential

from tests.clients.samples import ANSWER_SCHEMA, CHAT, JSON_SYSTEM, LANGUAGES, SYSTEM
from tests.running import Running

MESSAGES = [SystemMessage(content=SYSTEM), UserMessage(content=LANGUAGES)]
JSON_MESSAGES = [SystemMessage(content=JSON_SYSTEM), UserMessage(content=LANGUAGES)]


def test_model_info_names_the_model(azure: Any) -> None:
    """`get_model_info` tells the three things the page prints."""
    info = azure.get_model_info()

    assert ("Cupola-Pilot", "chat-completions") == (info.model_name, info.model_type)
    assert info.model_provider_name


def test_a_chat_is_answered(azure: Any) -> None:
    """`complete` gives text, the model's name and usage that adds up."""
    response = azure.complete(messages=MESSAGES)

    _assert_whole(response)
    assert "assistant" == response.choices[0].message.role
    assert response.choices[0].message.content
    assert "chat.completion" == response["object"]


def test_every_parameter_of_the_page_is_taken(azure: Any) -> None:
    """The page's list of further parameters goes through as it stands."""
    response = azure.complete(
        messages=MESSAGES,
        presence_penalty=0.1,
        frequency_penalty=0.8,
        max_tokens=2048,
        stop=["<|endoftext|>"],
        temperature=0,
        top_p=1,
        response_format="text",
    )

    _assert_whole(response)


def test_max_tokens_ends_the_reply(azure: Any) -> None:
    """A reply is never longer than asked, and says that it was cut."""
    response = azure.complete(messages=MESSAGES, max_tokens=2)

    assert 2 == response.usage.completion_tokens
    assert "length" == response.choices[0].finish_reason


def test_a_stop_string_is_never_part_of_the_reply(azure: Any) -> None:
    """The reply ends before the first stop string."""
    whole = azure.complete(messages=MESSAGES, temperature=0, max_tokens=24)
    stop = whole.choices[0].message.content[4:7]

    cut = azure.complete(messages=MESSAGES, temperature=0, max_tokens=24, stop=[stop])

    assert stop not in cut.choices[0].message.content


def test_every_update_of_a_stream_can_be_read(azure: Any) -> None:
    """Role first, text in between, finish reason and usage together in the last update."""
    updates = list(azure.complete(messages=MESSAGES, max_tokens=40, stream=True))

    assert_stream(updates)


def test_the_streaming_step_of_the_page_runs(azure: Any) -> None:
    """The page's own loop over `delta.content`, with the page's parameters, gives text."""
    result = azure.complete(messages=MESSAGES, temperature=0, top_p=1, max_tokens=2048, stream=True)

    printed = "".join(u.choices[0].delta.content for u in result if u.choices)

    assert printed.strip()


def test_a_stream_left_early_does_not_harm_the_next_call(azure: Any) -> None:
    """Closing a stream after its first update is nothing unusual."""
    stream = azure.complete(messages=MESSAGES, stream=True)
    next(stream)
    stream.close()

    _assert_whole(azure.complete(messages=MESSAGES, max_tokens=2))


def test_json_mode_gives_json(azure: Any) -> None:
    """`json_object` holds by construction, whatever the model would rather say."""
    response = azure.complete(messages=JSON_MESSAGES, response_format="json_object")

    assert_json_object(response.choices[0])


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_the_nested_type_of_older_clients_is_read(azure: Any, kind: str) -> None:
    """1.0.0b4 to b6 wrote the page's `response_format` as `{"type": {"type": ...}}`."""
    body = {"messages": CHAT, "response_format": {"type": {"type": kind}}, "max_tokens": 64}

    response = azure.complete(body)

    _assert_whole(response)
    if kind == "json_object":
        assert_json_object(response.choices[0])


def test_a_json_schema_is_obeyed(azure: Any) -> None:
    """`JsonSchemaFormat` holds by construction: every key, every type, every bound."""
    wanted = JsonSchemaFormat(name="answer", schema=ANSWER_SCHEMA, strict=True)

    response = azure.complete(messages=JSON_MESSAGES, response_format=wanted, temperature=1)

    jsonschema.validate(json.loads(response.choices[0].message.content), ANSWER_SCHEMA)
    assert "stop" == response.choices[0].finish_reason


def test_a_json_schema_is_obeyed_in_a_stream(azure: Any) -> None:
    """The pieces of a constrained stream join to the same kind of reply."""
    wanted = JsonSchemaFormat(name="answer", schema=ANSWER_SCHEMA)

    updates = azure.complete(messages=JSON_MESSAGES, response_format=wanted, stream=True)

    text = "".join(update.choices[0].delta.content or "" for update in updates)
    jsonschema.validate(json.loads(text), ANSWER_SCHEMA)


async def test_the_async_client_chats_and_streams(running: Running) -> None:
    """The same through `azure.ai.inference.aio`."""
    credential = AzureKeyCredential(running.key)
    async with AsyncChatCompletionsClient(running.target_uri, credential) as client:
        whole = await client.complete(messages=MESSAGES, max_tokens=8)
        stream = await client.complete(messages=MESSAGES, max_tokens=8, stream=True)
        updates = [update async for update in stream]

    _assert_whole(whole)
    assert_stream(updates)


def _assert_whole(response: Any) -> None:
    """What is true of every whole reply."""
    usage = response.usage
    assert "Cupola-Pilot" == response.model
    assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
    assert min(usage.prompt_tokens, usage.completion_tokens) > 0
    assert response.choices[0].finish_reason in ("stop", "length")


def assert_stream(updates: list[Any]) -> None:
    """What is true of every streamed reply."""
    first, *middle, last = updates
    assert ("assistant", "") == (first.choices[0].delta.role, first.choices[0].delta.content)
    assert {None} == {update.choices[0].finish_reason for update in [first, *middle]}
    assert last.choices[0].finish_reason in ("stop", "length")
    assert last.usage.prompt_tokens + last.usage.completion_tokens == last.usage.total_tokens
    assert not any("usage" in update for update in [first, *middle])
    assert 1 == len({_identity(update) for update in updates})


def _identity(update: Any) -> tuple[Any, ...]:
    return update.id, update["object"], update.created, update.model


def assert_json_object(choice: Any) -> None:
    """The content is a JSON object, or the beginning of one that was cut for length."""
    assert choice.message.content.startswith("{")
    if choice.finish_reason != "length":
        assert isinstance(json.loads(choice.message.content), dict)
