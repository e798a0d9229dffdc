"""What upstreams say, in the forms that services were seen to say it, as events."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.engines.port import Generation, JsonOutput, ToolOutput
from cupola.engines.upstream.events import MAX_EVENT, EventReader, ServerEvent
from cupola.engines.upstream.refusal import Told, read_told
from cupola.engines.upstream.reply import Reply
from cupola.kit.errors import CupolaError, EngineFailed, Filtered
from cupola.wire.canonical import Call, Candidate, Delta, Event, Finish, TokenLogprob, Tool, Usage

TOOLS = (Tool("get_time"), Tool("get_flight"))
AUTO = ToolOutput(TOOLS, "auto", parallel=True)
REQUIRED = ToolOutput(TOOLS, "required", parallel=True)
ANY_JSON = JsonOutput({"type": "object"})


def read(*chunks: Any, **asked: Any) -> list[Event]:
    """The events of a stream's chunks; a `str` is JSON text."""
    reply = Reply(Generation(prompt=(), **asked))
    written = [c if isinstance(c, str) else json.dumps(c) for c in chunks]
    said = [delta for one in written if (delta := reply.take(one.encode())) is not None]
    return [*said, *reply.end()]


def delta(reason: str | None = None, **said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": reason}]}


def piece(index: int | None, **call: Any) -> dict[str, Any]:
    return delta(tool_calls=[{**({} if index is None else {"index": index}), **call}])


def whole(reason: str, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"object": "chat.completion", "choices": [choice],
            "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}}  # fmt: skip


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion}


def test_a_stream_of_the_azure_service():
    """Role first, usage in the last chunk."""
    events = read(
        delta(role="assistant", content=""),
        delta(content="Hel"),
        delta(content="lo"),
        {**delta("stop", content=""), "usage": usage(7, 2)},
    )

    assert [Delta("Hel", 1), Delta("lo", 1), Finish("stop", Usage(7, 2))] == events


def test_a_stream_of_openai():
    """Nulls wherever there is nothing, an empty choice list with the usage, and unknown keys."""
    events = read(
        '{"choices":[{"delta":{"role":"assistant","content":null,"refusal":null,'
        '"tool_calls":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"}',
        delta(content="Hi"),
        delta("stop"),
        {"choices": [], "usage": usage(7, 1)},
    )

    assert [Delta("Hi", 1), Finish("stop", Usage(7, 1))] == events


def test_a_whole_reply():
    """One piece of text, with the tokens that the upstream counted."""
    events = read(whole("stop", content="Hello", tool_calls=None), incremental=False)

    assert [Delta("Hello", 5), Finish("stop", Usage(9, 5))] == events


def test_content_in_parts():
    """Only text is said: thoughts are no part of the answer."""
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]

    assert Delta("Hi", 5) == read(whole("stop", content=parts), incremental=False)[0]


def test_a_refusal_is_said():
    """Where OpenAI puts a refusal, the content is null."""
    events = read(whole("stop", content=None, refusal="No."), incremental=False)

    assert Delta("No.", 5) == events[0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("length", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("content_filter_error", "stop"),
        ("end_turn", "stop"),
    ],
)
def test_reasons(said: str, expected: str):
    """Known ones keep their meaning; an unknown one means that the answer is complete."""
    [_, end] = read(delta(content="Hi"), delta(said))

    assert isinstance(end, Finish)
    assert expected == end.reason


def test_without_usage_the_pieces_are_counted():
    """An answer that nobody counted is not free."""
    assert Usage(0, 2) == read(delta(content="a"), delta("stop", content="b"))[-1].usage  # type: ignore[union-attr]


def test_a_call_in_pieces():
    """OpenAI's way: name first, arguments letter by letter, several calls by their index."""
    events = read(
        piece(0, id="call_a", type="function", function={"name": "get_time", "arguments": ""}),
        piece(0, function={"arguments": '{"ci'}),
        piece(0, function={"arguments": 'ty": "Oslo"}'}),
        piece(1, id="call_b", function={"name": "get_flight", "arguments": "{}"}),
        {**delta("tool_calls"), "usage": usage(9, 20)},
        constraint=AUTO,
    )

    calls = [Call("get_time", '{"city": "Oslo"}'), Call("get_flight", "{}")]
    assert [*calls, Finish("tool_calls", Usage(9, 20))] == events


@pytest.mark.parametrize("index", [None, 0], ids=["no index", "index 0 for all"])
@pytest.mark.parametrize("ids", [("aaaaaaaaa", "bbbbbbbbb"), ("null", "null"), (None, None)])
def test_whole_calls_in_one_chunk(index: int | None, ids: tuple[str | None, str | None]):
    """Mistral's way, also where neither index nor id tells the calls apart."""
    names = ("get_time", "get_flight")
    calls = [
        {"id": id, "index": index, "function": {"name": name, "arguments": "{}"}}
        for id, name in zip(ids, names, strict=True)
    ]
    events = read(delta("tool_calls", tool_calls=calls), constraint=AUTO)

    assert [Call(name, "{}") for name in names] == events[:2]


def test_arguments_as_an_object_or_missing():
    """Servers write an object where a string should be, or nothing for no arguments."""
    calls = [
        {"id": "a", "function": {"name": "get_time", "arguments": {"city": "Orléans"}}},
        {"id": "b", "function": {"name": "get_flight", "arguments": ""}},
    ]
    events = read(whole("tool_calls", content=None, tool_calls=calls), constraint=AUTO)

    assert [Call("get_time", '{"city": "Orléans"}'), Call("get_flight", "{}")] == events[:2]


def test_a_named_function_is_called_though_the_reason_is_stop():
    """OpenAI says `stop` where a function was named."""
    called = piece(0, id="a", function={"name": "get_time", "arguments": "{}"})

    assert "tool_calls" == read(called, delta("stop"), constraint=REQUIRED)[-1].reason  # type: ignore[union-attr]


def test_one_call_where_only_one_was_wanted():
    """An upstream that does not know `parallel_tool_calls` must not surprise the caller."""
    called = [piece(i, id=str(i), function={"name": "get_time", "arguments": "{}"}) for i in (0, 1)]
    single = ToolOutput(TOOLS, "auto", parallel=False)

    assert [Call, Finish] == [type(e) for e in read(*called, delta("stop"), constraint=single)]


def test_a_cut_call_is_not_made():
    """At the limit half a call is no call, and the reason says so."""
    cut = piece(0, id="a", function={"name": "get_time", "arguments": '{"ci'})

    assert [Finish] == [type(e) for e in read(cut, delta("length"), constraint=REQUIRED)]


@pytest.mark.parametrize(
    ("chunks", "asked", "private"),
    [
        ([delta(content="Hi")], {}, "ended early"),
        ([], {}, "ended early"),
        (["<html>"], {}, "cannot be read"),
        (['{"choices": [{"delta": {"content": 7}}]}'], {}, "cannot be read"),
        ([delta("error")], {}, "gave up"),
        ([delta("stop", content="Hi")], {"constraint": REQUIRED}, "calls no function"),
        ([delta("stop", content="Hi")], {"constraint": ANY_JSON}, "not JSON"),
        ([delta("stop", content="[1]")], {"constraint": ANY_JSON}, "not a JSON object"),
        ([delta("stop", content="true")], {"constraint": JsonOutput({"type": "integer"})},
         "not a JSON integer"),
        ([delta("stop", content='{"b": 1}')], {"constraint": JsonOutput({"required": ["b", "a"]})},
         "lacks 'a'"),
        ([delta("stop", content="[" * 5000)], {"constraint": ANY_JSON}, "not JSON"),
        ([delta("stop", content="Hi")], {"logprobs": 0}, "no log-probabilities"),
        ([piece(0, function={"name": "get_time"}), delta("stop")], {}, "though it may not"),
        ([piece(0, function={"name": "other"}), delta("stop")], {"constraint": AUTO},
         "was not offered"),
        ([piece(0, function={"name": "get_time", "arguments": "{"}), delta("stop")],
         {"constraint": AUTO}, "cannot be read"),
        (['{"error": {"message": "overloaded", "code": 529}}'], {}, "529 overloaded"),
        (['{"object": "error", "message": "lost", "code": 1}'], {}, "lost"),
    ],
)  # fmt: skip
def test_a_broken_answer_is_a_failure(chunks: list[Any], asked: Any, private: str):
    """Never a 200, and callers are not told how the provider failed."""
    with pytest.raises(EngineFailed, match=private) as caught:
        read(*chunks, **asked)

    assert "The model's provider failed while answering." == caught.value.public


def test_bytes_that_are_no_text_are_a_failure():
    """A character cut in two by whoever stands between, in a string: no fault of ours."""
    with pytest.raises(EngineFailed, match="cannot be read"):
        Reply(Generation(prompt=())).take(b'{"choices":[{"delta":{"content":"\xc3"}}]}')

    assert Told() == read_told(b'{"error":{"message":"\xc3"}}')


def test_json_cut_by_a_stop_string_is_the_callers_own():
    """Services say `stop` for it, as for a complete answer."""
    events = read(delta("stop", content='{"a'), constraint=ANY_JSON, stop=('"',))

    assert "stop" == events[-1].reason  # type: ignore[union-attr]


def test_a_filter_may_speak_in_the_middle():
    """An error with the filter's code is the filter's."""
    with pytest.raises(Filtered, match="No such things"):
        read(
            delta(content="Hi"), {"error": {"code": "content_filter", "message": "No such things"}}
        )


def test_log_probabilities_of_a_chat():
    """Bytes where they are given, the token's text where not; alternatives ranked and no more
    than were asked for."""
    likely = [{"token": "B", "logprob": -2.0, "bytes": None}, {"token": "A", "logprob": -0.1}]
    told = {
        "content": [{"token": "\ufffd", "logprob": -0.1, "bytes": [195], "top_logprobs": likely}]
    }
    chunk = {"choices": [{"delta": {"content": "é"}, "finish_reason": "stop", "logprobs": told}]}
    [said, _] = read(chunk, logprobs=1)

    expected = TokenLogprob(Candidate(b"\xc3", -0.1), (Candidate(b"A", -0.1),))
    assert Delta("é", 1, (expected,)) == said


def test_log_probabilities_of_a_text():
    """The legacy shape, where an echoed prompt's first token has none."""
    told = {"tokens": ["a", "b"], "token_logprobs": [None, -0.5], "text_offset": [0, 1],
            "top_logprobs": [None, {"c": -1.5, "b": -0.5}]}  # fmt: skip
    [said, _] = read({"choices": [{"text": "b", "finish_reason": "stop", "logprobs": told}]},
                     logprobs=1)  # fmt: skip

    assert Delta("b", 1, (TokenLogprob(Candidate(b"b", -0.5), (Candidate(b"b", -0.5),)),)) == said


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_in_any_framing(size: int):
    """Line ends of both kinds, comments, names, and pieces that end anywhere."""
    stream = (b": ping\n\ndata: {\"a\": 1}\n\nevent: error\r\ndata:two\r\ndata:  lines\r\n\r\n"
              b"id: 7\nretry: 1\n\ndata: [DONE]")  # fmt: skip
    reader = EventReader()
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    events = [event for part in pieces for event in reader.receive(part)] + reader.end()

    assert [
        ServerEvent("", b'{"a": 1}'),
        ServerEvent("error", b"two\n lines"),
        ServerEvent("", b"[DONE]"),
    ] == events


def test_an_event_without_end_is_given_up():
    """Nobody fills our memory."""
    reader = EventReader()
    reader.receive(b"data: " + b"x" * (MAX_EVENT // 2))
    with pytest.raises(EngineFailed, match="too long"):
        reader.receive(b"x" * MAX_EVENT)


_KEYS = ["choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments",
         "usage", "completion_tokens", "finish_reason", "logprobs", "tokens", "token", "logprob",
         "error", "detail", "details", "loc", "code", "type", "text", "index", "id"]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=4), st.sampled_from([None, 2]))
def test_whatever_comes_is_an_answer_or_an_error(chunks: list[Any], logprobs: int | None):
    """No upstream can make a fault of ours."""
    with suppress(CupolaError):
        read(*[json.dumps(chunk) for chunk in chunks], logprobs=logprobs, constraint=AUTO)
    for chunk in chunks:
        read_told(json.dumps(chunk).encode())
