"""Real clients over a real socket, with an engine that says back what it was told.

`tests/clients` runs them against the whole product and the included model; here a failure is the
gateway's.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import JsonSchemaFormat, UserMessage
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from mistralai.azure.client import MistralAzure
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError

from cupola.engines.echo import EchoReplica
from cupola.engines.port import Replica
from cupola.gateway.compatibility import SERVICE, Compatibility
from cupola.http.server import Server, listen, url_of
from cupola.kit.errors import EngineFailed
from cupola.wire.canonical import Delta, Failed
from tests.gateway.fakes import KEY, FixedPool, ScriptedReplica, gateway_of, saying, served
from tests.patience import until

TEXT = "How many languages are in the world?"
MESSAGES: list[Any] = [{"role": "user", "content": TEXT}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_flight_info",
        "description": "Finds the next flight.",
        "parameters": {
            "type": "object",
            "properties": {"origin_city": {"type": "string"}},
            "required": ["origin_city"],
        },
    },
}


@asynccontextmanager
async def endpoint(replica: Replica, compatibility: Compatibility = SERVICE) -> AsyncIterator[str]:
    """The URL of an endpoint on a port of its own."""
    await replica.start()
    gateway = gateway_of(served(FixedPool([replica])), compatibility=compatibility)
    with listen("127.0.0.1", 0) as socket:
        socket.listen()  # so that callers queue until the server takes them
        server = Server(gateway, socket)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.run())
            yield f"{url_of(socket)}/endpoints/pilot"
            server.stop()


async def using(client: Any, work: Callable[[Any], Any]) -> Any:
    """What `work` makes of a synchronous client, off the event loop."""

    def run() -> Any:
        with client:
            return work(client)

    return await asyncio.to_thread(run)


def azure(url: str, key: str = KEY) -> Any:
    return ChatCompletionsClient(url, AzureKeyCredential(key))


async def test_azure_reads_a_reply_and_the_models_name():
    """With the parameters of the samples, on the route of the samples."""
    async with endpoint(EchoReplica()) as url:
        reply = await using(
            azure(url),
            lambda client: client.complete(
                messages=[UserMessage(content=TEXT)],
                presence_penalty=0.1,
                frequency_penalty=0.8,
                max_tokens=2048,
                stop=["<|endoftext|>"],
                temperature=0,
                top_p=1,
            ),
        )
        info = await using(azure(url), lambda client: client.get_model_info())

    assert TEXT == reply.choices[0].message.content
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == reply.usage.total_tokens
    assert ("Cupola-Pilot", "chat-completions") == (info.model_name, info.model_type)


async def test_azure_reads_a_stream():
    """The strictest parser of all."""
    async with endpoint(EchoReplica()) as url:
        chunks = await using(
            azure(url), lambda client: list(client.complete(messages=MESSAGES, stream=True))
        )

    assert TEXT == "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert 7 == chunks[-1].usage.completion_tokens


async def test_azure_makes_a_tool_round_trip():
    """A call comes back as the client echoes it, and is answered."""

    def work(client: Any) -> Any:
        messages = list(MESSAGES)
        reply = client.complete(messages=messages, tools=[TOOL], tool_choice="required")
        message = reply.choices[0].message
        messages.append(message)
        for call in message.tool_calls:
            assert "origin_city" in json.loads(call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "By train."})
        return client.complete(messages=messages, tools=[TOOL]).choices[0].message.content

    async with endpoint(EchoReplica()) as url:
        assert "By train." in await using(azure(url), work)


async def test_azure_gets_json():
    """By schema, as its newest version writes it."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    wanted = JsonSchemaFormat(name="n", schema=schema)
    async with endpoint(EchoReplica()) as url:
        reply = await using(
            azure(url), lambda client: client.complete(messages=MESSAGES, response_format=wanted)
        )

    assert isinstance(json.loads(reply.choices[0].message.content)["a"], int)


async def test_azure_reads_refusals():
    """Its own classes, with a code each."""
    async with endpoint(EchoReplica()) as url:
        with pytest.raises(ClientAuthenticationError) as unknown:
            await using(azure(url, "wrong"), lambda client: client.complete(messages=MESSAGES))
        with pytest.raises(HttpResponseError) as unsupported:
            await using(
                azure(url),
                lambda client: client.complete(messages=MESSAGES, model_extras={"store": True}),
            )

    assert unknown.value.error is not None
    assert "Unauthorized" == unknown.value.error.code
    assert 422 == unsupported.value.status_code
    assert "parameter_not_supported" in str(unsupported.value)


async def test_openai_reads_replies_and_streams():
    """With usage in a chunk of its own, which it asks for."""
    async with (
        endpoint(EchoReplica()) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        reply = await client.chat.completions.create(model="any", messages=MESSAGES)
        stream = await client.chat.completions.create(
            model="any", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        models = (await client.models.list()).data

    assert TEXT == reply.choices[0].message.content
    assert TEXT == "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert [False, True] == [c.usage is not None for c in chunks[-2:]]
    assert ["Cupola-Pilot"] == [model.id for model in models]


@pytest.mark.parametrize("kind", [Mistral, MistralAzure])
async def test_mistral_reads_replies_and_streams(kind: Any):
    """Its native class and its Azure class, on different routes, with names of its own."""
    asked: Any = {"model": "any", "messages": MESSAGES, "random_seed": 7, "safe_prompt": False}

    def work(client: Any) -> tuple[Any, list[Any]]:
        with client.chat.stream(**asked) as events:
            return client.chat.complete(**asked), [event.data for event in events]

    async with endpoint(EchoReplica()) as url:
        reply, chunks = await using(kind(api_key=KEY, server_url=url), work)

    assert TEXT == reply.choices[0].message.content
    assert TEXT == "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert 7 == chunks[-1].usage.completion_tokens


async def test_mistral_parses_a_list_of_faults():
    """Anything but a list in `detail` would raise something unrelated."""
    async with endpoint(EchoReplica()) as url:
        with pytest.raises(HTTPValidationError) as refused:
            await using(
                Mistral(api_key=KEY, server_url=url),
                lambda client: client.chat.complete(model="any", messages=MESSAGES, top_p=7),
            )

    assert "top_p" in str(refused.value.data.detail)


async def test_a_failure_in_a_stream_ends_every_clients_loop():
    """OpenAI's raises with the message, the others see the reason; none waits for more."""
    died = saying(Delta("Hel", 1), Failed(EngineFailed("It died.")))
    async with endpoint(ScriptedReplica(died)) as url:
        azures = await using(
            azure(url), lambda client: list(client.complete(messages=MESSAGES, stream=True))
        )
        with pytest.raises(openai.APIError, match=r"It died\."):
            await using(
                openai.OpenAI(base_url=f"{url}/v1", api_key=KEY),
                lambda client: list(
                    client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
                ),
            )

        def work(client: Any) -> list[Any]:
            with client.chat.stream(model="any", messages=MESSAGES) as events:
                return [event.data for event in events]

        mistrals = await using(Mistral(api_key=KEY, server_url=url), work)

    for chunks in (azures, mistrals):
        assert ["", "Hel", ""] == [chunk.choices[0].delta.content for chunk in chunks]
        assert "error" == chunks[-1].choices[0].finish_reason


async def test_a_client_that_leaves_frees_the_replica():
    """Over a real connection, in the middle of a stream."""
    replica = EchoReplica(pause=0.02)
    async with (
        endpoint(replica) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
        await anext(aiter(stream))
        assert 1 == replica.busy
        await stream.close()
        await until(lambda: not replica.busy)
