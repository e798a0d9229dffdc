"""Bodies for llama.cpp, and its answers as events: conversations without an engine."""

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.engines.llamacpp.completion import (
    CompletionWriter,
    begin_prompt,
    check_prompt,
    opens_reply,
)
from cupola.engines.llamacpp.reply import Reply
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.port import Generation, JsonOutput, ToolOutput, Verbatim
from cupola.kit.errors import EngineFailed, Invalid, TooLong, Unsupported
from cupola.wire.canonical import Call, Delta, Event, Failed, Finish, Tool, Usage
from tests.playbook import Playbook

TOKENS = (
    *(b"<unk>", b"<s>", b"</s>", b"[INST]", b"[/INST]", b"[TOOL_CALLS]"),
    *(b" Yes", b" yes", b"No", b"\xc3", b"\xa9", b"!"),
)
VOCABULARY = Vocabulary(
    bos=("<s>", 1),
    banned=(0, 1, 3, 4, 5),
    control_texts=("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"),
    tool_calls_token=5,
    python=None,
    tokens=TOKENS,
    special=frozenset(range(6)),
    ends=frozenset([2]),
    end=b"</s>",
    longest_token=10,
    leading_space=True,
    adds_space=False,
    spaced=re.compile(r"(\[INST\]) $"),
    spaced_inside=re.compile(r"(\[INST\]) (?=[^ ])"),
)
PLAIN = Generation(prompt=("<s>[INST] hi[/INST]",))
JSON = Generation(prompt=PLAIN.prompt, constraint=JsonOutput({"type": "object"}))
NAMED = Generation(prompt=PLAIN.prompt, constraint=JsonOutput({"required": ["a", "b"]}))
FIND = Tool("find", parameters={"type": "object"})
AUTO = Generation(prompt=PLAIN.prompt, constraint=ToolOutput((FIND,), "auto", True), stop=("}",))
REQUIRED = Generation(prompt=PLAIN.prompt, constraint=ToolOutput((FIND,), "required", True))
CALLS = ' [{"name": "find", "arguments": {"a": 1.50}}]'


def write(request: Generation) -> dict[str, Any]:
    body = CompletionWriter(VOCABULARY, context_length=512).write(request, [1, "x"])
    return dict(json.loads(body))


def chunk(text: str, predicted: int, tokens: list[int] | None = None, **fields: Any) -> bytes:
    values = {
        "content": text,
        "tokens": tokens or [9],
        "stop": False,
        "tokens_predicted": predicted,
        "tokens_evaluated": 7,
        **fields,
    }
    return b"data: " + json.dumps(values).encode() + b"\n\n"


def last(predicted: int, how: str = "eos") -> bytes:
    return chunk("", predicted, stop=True, stop_type=how)


def play(request: Generation) -> Playbook:
    """`>>` some bytes of the stream, or None for its end."""
    reply = Reply(request, VOCABULARY, opens=True)

    def receive(data: bytes | None) -> Iterable[Event]:
        return reply.end() if data is None else reply.receive(data)

    return Playbook(receive)


def end_of(request: Generation, *data: bytes) -> list[Event]:
    reply = Reply(request, VOCABULARY, opens=True)
    for part in data:
        list(reply.receive(part))
    return list(reply.end())


def test_body_says_everything() -> None:
    """No default of llama.cpp decides: each sampler is named or switched off."""
    body = write(Generation(prompt=("x",), max_tokens=3, temperature=0.5, top_p=0.9, seed=2**32))

    assert body["samplers"] == ["penalties", "temperature", "top_k", "top_p", "min_p"]
    assert (body["top_k"], body["min_p"], body["repeat_penalty"]) == (0, 0.0, 1.0)
    assert (
        body["n_predict"], body["temperature"], body["top_p"], body["seed"],
    ) == (3, 0.5, 0.9, 1)  # fmt: skip
    assert body["repeat_last_n"] == 512
    assert body["logit_bias"] == [[0, False], [1, False], [3, False], [4, False], [5, False]]


def test_prompt_pays_no_penalty() -> None:
    """What llama.cpp takes from tokens of the prompt is given back; bans stay bans."""
    request = Generation(prompt=("x",), presence_penalty=0.5, frequency_penalty=1.0)

    writer = CompletionWriter(VOCABULARY, context_length=512)
    body = json.loads(writer.write(request, [1, 300, 300]))

    assert body["logit_bias"][:2] == [[1, 1.5], [300, 2.5]]
    assert body["logit_bias"][2:] == [[t, False] for t in (0, 1, 3, 4, 5)]


def test_prompt_beyond_all_tokens_is_refused() -> None:
    """What cannot fit even in the longest tokens never reaches the engine, which would toil."""
    check_prompt(("x" * 5_000, Verbatim("x" * 120)), VOCABULARY, 512)

    with pytest.raises(TooLong, match="512 tokens"):
        check_prompt(("x" * 5_000, Verbatim("x" * 121)), VOCABULARY, 512)


def test_schema_with_a_control_tokens_text_is_refused() -> None:
    """The decoder would force the token itself, so the request is told, not the reply broken."""
    schema = {"const": "[/INST]"}

    with pytest.raises(Unsupported) as refusal:
        write(Generation(prompt=("x",), constraint=JsonOutput(schema)))

    assert ("response_format",) == refusal.value.path
    assert "[/INST]" in refusal.value.public


def test_nothing_left_to_chance_is_greedy() -> None:
    """A temperature of 0 takes the likeliest token, and so does a top_p of 0."""
    assert write(Generation(prompt=("x",), temperature=0.0))["temperature"] == 0
    assert write(Generation(prompt=("x",), top_p=0.0))["temperature"] == 0


def test_limit_beyond_all_numbers_is_the_context() -> None:
    """A huge limit does not overflow the engine's number; none is as much as fits."""
    assert write(Generation(prompt=("x",), max_tokens=10**15))["n_predict"] == 512
    assert write(PLAIN)["n_predict"] == -1


def test_calls_may_begin_only_with_tools() -> None:
    """The token of tool calls is banned unless calls are allowed."""
    assert [5, False] in write(PLAIN)["logit_bias"]
    assert [5, False] not in write(AUTO)["logit_bias"]


def test_required_call_is_not_cut_by_stop_strings() -> None:
    """A call may hold any text, so stop strings do not apply to it."""
    request = Generation(prompt=("x",), constraint=REQUIRED.constraint, stop=("a",))

    assert "stop" not in write(request)


def test_first_token_is_an_id() -> None:
    """The text of the first token becomes its id, lest the engine puts a second one before it."""
    verbatim = Verbatim("<s>")

    assert begin_prompt(PLAIN.prompt, VOCABULARY) == [1, "[INST] hi[/INST]"]
    assert [1, verbatim] == begin_prompt(("<s>", verbatim), VOCABULARY)
    assert [verbatim, "x"] == begin_prompt((verbatim, "x"), VOCABULARY)


@pytest.mark.parametrize(
    ("pieces", "opens"),
    [
        (("[INST] hi[/INST]",), True),
        (("[INST] hi[/INST] Sure,",), False),
        (("[INST]", Verbatim("[/INST]")), False),
    ],
)
def test_only_a_new_reply_begins_with_a_space(pieces: tuple[Any, ...], opens: bool) -> None:
    """A reply that continues text has no space of its own to drop."""
    assert opens == opens_reply(pieces, VOCABULARY)


def test_text() -> None:
    """Text is said as it comes, without the model's first space; its tokens are counted."""
    assert (
        play(PLAIN)
        >> chunk(" ", 1)
        >> chunk("Hello", 2)
        << Delta("Hello", 2)
        >> chunk(" world", 4)
        << Delta(" world", 2)
        >> last(5)
        >> None
        << Finish("stop", Usage(7, 5))
    )


def test_text_cut_at_its_limit() -> None:
    """A reply that was cut says so."""
    assert (
        play(PLAIN)
        >> chunk(" Hello", 1)
        << Delta("Hello", 1)
        >> last(1, "limit")
        >> None
        << Finish("length", Usage(7, 1))
    )


def test_calls() -> None:
    """Calls come whole and at the end, with their arguments as the model wrote them."""
    assert (
        play(AUTO)
        >> chunk("", 1, [5])
        >> chunk(CALLS[:9], 2)
        >> chunk(CALLS[9:], 9)
        >> last(10)
        >> None
        << Call("find", '{"a": 1.50}')
        << Finish("tool_calls", Usage(7, 10))
    )


def test_whole_reply_is_said_at_the_end() -> None:
    """Who does not want pieces gets one delta."""
    assert (
        play(Generation(prompt=PLAIN.prompt, incremental=False))
        >> chunk(" Hello", 1) + chunk(" world", 2)
        >> last(3)
        >> None
        << Delta("Hello world", 3)
        << Finish("stop", Usage(7, 3))
    )


def test_call_cut_at_its_limit() -> None:
    """Half a call is not a call."""
    assert [Finish("length", Usage(7, 2))] == end_of(
        REQUIRED, chunk("", 1, [5]), chunk(CALLS[:9], 2), last(2, "limit")
    )


def test_call_cut_by_a_stop_string_is_asked_for_again() -> None:
    """With `auto` the engine cannot know whether text or a call meets the stop string."""
    reply = Reply(AUTO, VOCABULARY, opens=True)
    list(reply.receive(chunk("", 1, [5]) + chunk(CALLS[:9], 2) + last(2, "word")))

    retry = reply.find_retry()

    assert retry is not None
    assert isinstance(retry.constraint, ToolOutput)
    assert retry.constraint.mode == "required"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (JSON, " no JSON"),
        (JSON, "[]"),
        (JSON, '{"a": ' * 5000),
        (NAMED, '{"b": 1}'),
        (REQUIRED, "text"),
    ],
    ids=["text", "no object", "too deep to read", "not all of it", "no call"],
)
def test_broken_constraint_is_a_failure(request_: Generation, text: str) -> None:
    """The engine may ignore a grammar; such a reply never ends well."""
    [failed] = end_of(request_, chunk(text, 1), last(2))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineFailed)


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "other", "arguments": {}}]',
        '[{"name": "find"}]',
        "[]",
        "nonsense",
        '[{"name": "find", "arguments": ' + '{"a": ' * 5000,
    ],
    ids=["not offered", "no arguments", "no calls", "text", "too deep to read"],
)
def test_broken_call_is_a_failure(text: str) -> None:
    """Calls of what was not offered, or of no form, are never passed on."""
    [failed] = end_of(AUTO, chunk(" " + text, 1, [5]), last(2))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineFailed)


@pytest.mark.parametrize("how", ["limit", "word"])
def test_cut_json_is_not_a_failure(how: str) -> None:
    """The caller's own limit or stop string may cut JSON."""
    assert isinstance(end_of(JSON, chunk('{"a', 1), last(2, how))[-1], Finish)


@pytest.mark.parametrize(
    "data",
    [b"", b"data: {nonsense}\n\n", b'data: {"error": {"code": 500, "message": "oh"}}\n\n'],
    ids=["cut", "not JSON", "error"],
)
def test_broken_stream_is_a_failure(data: bytes) -> None:
    """A stream that ends early, says nonsense or an error, fails; its words stay private."""
    [failed] = end_of(PLAIN, chunk("a", 1), data)

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineFailed)
    assert "nonsense" not in failed.error.public


def refused(status: int, **error: Any) -> Exception:
    reply = Reply(PLAIN, VOCABULARY, opens=True)
    body = json.dumps({"error": {"code": status, **error}}).encode()
    assert [event for part in (body[:9], body[9:]) for event in reply.receive(part, status)] == []
    [failed] = reply.end()
    assert isinstance(failed, Failed)
    return failed.error


def test_refusals() -> None:
    """What is the caller's fault is told from what is the engine's."""
    too_long = refused(
        400, type="exceed_context_size_error", message="m", n_prompt_tokens=900, n_ctx=512
    )

    assert isinstance(too_long, TooLong)
    assert "900" in too_long.public
    assert "512" in too_long.public
    assert type(refused(400, message="bad field")) is Invalid
    assert isinstance(refused(503, message="loading"), EngineFailed)


def test_comments_keep_the_connection_only() -> None:
    """Between events the engine may say that it lives."""
    assert play(PLAIN) >> b":\n\n" >> chunk("a", 1) << Delta("a", 1)


STREAM = chunk(" Hé", 1) + chunk("llo", 2) + b":\n\n" + chunk(' "w"\n\n', 3) + last(4)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_cuts_do_not_change_a_stream(cuts: list[int]) -> None:
    """However the bytes are cut on their way, the events are the same."""
    reply = Reply(PLAIN, VOCABULARY, opens=True)
    edges = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[a:b] for a, b in pairwise(edges)]
    said = [event for part in parts for event in reply.receive(part)]

    assert [Delta("Hé", 1), Delta("llo", 1), Delta(' "w"\n\n', 1)] == said
    assert [Finish("stop", Usage(7, 4))] == list(reply.end())
