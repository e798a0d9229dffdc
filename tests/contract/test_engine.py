"""What every engine must do. A new one adds one fixture to `replica` and must pass unchanged."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import pytest_asyncio

from cupola.engines.echo import EchoReplica
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Generation, JsonOutput, Replica, ToolOutput, Verbatim
from cupola.kit.errors import Invalid, TooLong
from cupola.wire.canonical import Call, Delta, Event, Failed, Finish, Tool
from tests.contract.chained import DIALECTS, chained, converse
from tests.models import build_tiny_model
from tests.patience import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTEXT = 256
PROMPT = ("<s>[INST] ", Verbatim("one two three four five six seven eight"), "[/INST]")
CITY = {"type": "string", "enum": ["Oslo", "Lima"]}
FLIGHT = Tool(
    "get_flight",
    parameters={
        "type": "object",
        "properties": {"origin": CITY, "destination": {"$ref": "#/$defs/city"}},
        "required": ["origin", "destination"],
        "$defs": {"city": CITY},
    },
)
CLOCK = Tool("get_time")
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 3, "maximum": 9}},
    "required": ["count"],
    "additionalProperties": False,
}


def serve(folder: Path, **model: Any) -> Replica:
    return LlamaCppReplica(
        build_tiny_model(folder / "tiny.gguf", **model),
        folder / "run",
        slots=2,
        context_length=CONTEXT,
        threads=1,
        log_folder=folder / "log",
    )


MODELS: Mapping[str, Mapping[str, Any]] = {
    "llamacpp": {},
    # Mistral-7B v0.3's kind of vocabulary: its tokenizer adds spaces by itself.
    "llamacpp_spaced": {"add_space_prefix": True},
    # Llama 2's and Mixtral's kind: it adds spaces, and no token opens calls.
    "llamacpp_old": {"add_space_prefix": True, "tool_calls": False},
    # Llama 3's kind, as far as calls go: no token opens them.
    "llamacpp_untokened": {"tool_calls": False},
    # Llama 3.1's kind: a token may stand before calls, and another ends replies, too.
    "llamacpp_byte_level": {"llama": True},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["echo", *MODELS, *DIALECTS])
async def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Replica]:
    """One for all tests: most of the time of an engine's test is its start."""
    echo, folder = EchoReplica(CONTEXT, pause=0.001), tmp_path_factory.mktemp("engine")
    if request.param in DIALECTS:
        async with chained(request.param, echo, folder) as far:
            yield far
        return
    replica = serve(folder, **MODELS[request.param]) if request.param in MODELS else echo
    yield replica
    await replica.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def replica(kept: Replica) -> Replica:
    """It is ready, and nothing is left of the test before."""
    if kept.state != "ready":
        await kept.start()
    assert 0 == kept.busy
    return kept


def ask(replica: Replica, **fields: Any) -> AsyncGenerator[Event, None]:
    request = Generation(**{"prompt": PROMPT, **fields})
    if replica.profile.takes_conversations:
        request = converse(request)
    return replica.generate(request)


async def collect(replica: Replica, **fields: Any) -> list[Event]:
    return [event async for event in ask(replica, **{"seed": 1, "max_tokens": 60, **fields})]


def join(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


async def test_ends_exactly_once(replica: Replica) -> None:
    """Deltas, then one terminal event, then nothing."""
    *deltas, last = await collect(replica, max_tokens=4)

    assert deltas
    assert all(isinstance(event, Delta) for event in deltas)
    assert isinstance(last, Finish)


async def test_counts_every_token(replica: Replica) -> None:
    """A reply that was cut at its limit has exactly as many tokens; the prompt counts, too."""
    *_, last = await collect(replica, max_tokens=4)

    assert isinstance(last, Finish)
    assert (last.reason, last.usage.completion) == ("length", 4)
    assert last.usage.prompt >= 8


async def test_whole_reply_is_one_delta(replica: Replica) -> None:
    """Who does not want increments gets the same text at once."""
    events = await collect(replica, max_tokens=5, temperature=0, incremental=False)
    pieces = await collect(replica, max_tokens=5, temperature=0)

    assert [Delta, Finish] == [type(event) for event in events]
    assert join(pieces) == join(events)


async def test_prompt_without_end_stops_at_the_context(replica: Replica) -> None:
    """With no limit of its own a reply may go on to the end of the context, never beyond."""
    *_, last = await collect(replica, max_tokens=None)

    assert isinstance(last, Finish)
    assert last.usage.prompt + last.usage.completion <= CONTEXT


async def test_too_long_prompt_is_refused(replica: Replica) -> None:
    """A prompt beyond the context is refused with both figures; nothing is cut off it."""
    [last] = await collect(replica, prompt=("<s>[INST] " + "word " * 2 * CONTEXT + "[/INST]",))

    assert isinstance(last, Failed)
    assert isinstance(last.error, TooLong)
    assert str(CONTEXT) in last.error.public


async def test_hanging_up_frees_the_slot(replica: Replica) -> None:
    """Closing the generator early leaves nothing busy, and the next request is answered."""
    for _ in range(4):  # more often than there are slots
        events = ask(replica)
        await anext(events)
        assert replica.busy == 1
        await events.aclose()

    assert replica.busy == 0
    async with asyncio.timeout(PATIENCE):
        assert isinstance((await collect(replica, max_tokens=1))[-1], Finish)


async def test_a_cut_answer_is_accounted_for(replica: Replica) -> None:
    """The tally has what had been heard by then: the prompt, where the engine tells of it, and
    every token."""
    counted = (await collect(replica, max_tokens=1))[-1]
    request = Generation(prompt=PROMPT, seed=1, max_tokens=60)
    if replica.profile.takes_conversations:
        request = converse(request)
    events = replica.generate(request)
    first = await anext(events)
    await events.aclose()

    assert isinstance(counted, Finish)
    assert isinstance(first, Delta)
    assert request.tally.taken
    far = replica.profile.takes_conversations
    assert request.tally.prompt == (0 if far else counted.usage.prompt)
    assert request.tally.completion >= first.tokens


async def test_a_prompt_that_was_read_before_is_told(replica: Replica) -> None:
    """Of a prompt at most all is known; engines that keep none say so."""
    first, second = (await collect(replica))[-1], (await collect(replica))[-1]

    assert isinstance(first, Finish)
    assert isinstance(second, Finish)
    assert 0 <= first.usage.cached <= first.usage.prompt
    assert second.usage.cached <= second.usage.prompt
    assert second.usage.cached >= (1 if replica.profile.engine == "llamacpp" else 0)


async def test_generations_run_side_by_side(replica: Replica) -> None:
    """Two requests at once both end well."""
    both = await asyncio.gather(collect(replica), collect(replica, seed=2))

    assert all(isinstance(events[-1], Finish) for events in both)
    assert replica.busy == 0


async def test_stop_string_is_never_said(replica: Replica) -> None:
    """Text ends before a stop string, even one that spans tokens."""
    text = join(await collect(replica, temperature=0))
    [stop, *_] = re.findall("[^\ufffd]{4}", text[5:])  # no caller can write half a character
    events = await collect(replica, temperature=0, stop=("never said", stop))

    assert text[: text.index(stop)] == join(events)
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "stop"


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_json_output_fits_its_schema(replica: Replica, incremental: bool) -> None:
    """A JSON reply that was not cut is valid under its schema, by construction."""
    events = await collect(replica, constraint=JsonOutput(SCHEMA), incremental=incremental)

    assert isinstance(events[-1], Finish)
    jsonschema.validate(json.loads(join(events)), SCHEMA)


@pytest.mark.parametrize("parallel", [True, False], ids=["parallel", "single"])
@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_required_tool_is_called(replica: Replica, parallel: bool, incremental: bool) -> None:
    """With `required` there is a call, its name is one offered and its arguments fit."""
    constraint = ToolOutput((FLIGHT,), "required", parallel)
    events = await collect(
        replica, constraint=constraint, incremental=incremental, max_tokens=None, stop=("{",)
    )

    calls = [event for event in events if isinstance(event, Call)]
    assert calls
    assert parallel or len(calls) == 1
    assert FLIGHT.name == calls[0].name
    jsonschema.validate(json.loads(calls[0].arguments), FLIGHT.parameters)
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == "tool_calls"


async def test_tool_without_parameters_takes_an_empty_object(replica: Replica) -> None:
    """A function that describes no parameters is called with none."""
    [call, _] = await collect(replica, constraint=ToolOutput((CLOCK,), "required", False))

    assert Call("get_time", "{}") == call


async def test_auto_is_text_or_calls(replica: Replica) -> None:
    """With `auto` a reply is text or well-formed calls, and says which it is."""
    for seed in range(6):
        *said, last = await collect(
            replica, seed=seed, constraint=ToolOutput((FLIGHT, CLOCK), "auto", True)
        )

        assert isinstance(last, Finish)
        assert (last.reason == "tool_calls") == any(isinstance(e, Call) for e in said)


async def test_auto_with_json_content(replica: Replica) -> None:
    """With `auto` and a response format, text is JSON of that format."""
    constraint = ToolOutput((CLOCK,), "auto", False, JsonOutput(SCHEMA))
    events = await collect(replica, constraint=constraint)

    assert isinstance(events[-1], Finish)
    if events[-1].reason != "tool_calls":
        jsonschema.validate(json.loads(join(events)), SCHEMA)


async def test_unusable_schema_is_refused(replica: Replica) -> None:
    """A schema that cannot be enforced is refused by name, never ignored."""
    [last] = await collect(replica, constraint=JsonOutput({"type": "object", "not": {}}))

    assert isinstance(last, Failed)
    assert isinstance(last.error, Invalid)
    assert "not" in last.error.public


async def test_without_constraint_no_call_is_made(replica: Replica) -> None:
    """Control tokens stay out of text, so a model that was given no tools cannot call."""
    events = await collect(replica, max_tokens=None)

    assert not any(isinstance(event, Call) for event in events)
    assert "[TOOL_CALLS]" not in join(events)


async def test_stopped_replica_fails_and_starts_again(replica: Replica) -> None:
    """A stopped replica answers with a failure, not an exception; started again it answers."""
    await replica.stop()
    await replica.stop()
    assert replica.state == "stopped"
    assert isinstance((await collect(replica))[-1], Failed)

    await replica.start()

    assert replica.state == "ready"
    assert isinstance((await collect(replica))[-1], Finish)


async def test_wait_ended_returns_when_stopped(replica: Replica) -> None:
    """Who waits for the end of a replica learns of it."""
    waiting = asyncio.ensure_future(replica.wait_ended())
    await asyncio.sleep(0)
    await replica.stop()

    assert await asyncio.wait_for(waiting, PATIENCE)
