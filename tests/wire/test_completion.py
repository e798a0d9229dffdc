"""Replies and streams, byte for byte as the samples of the Azure service show them.

`reply*.json` and `stream.sse` follow those samples key by key, without their white space and with
shorter texts; the samples lack the other streams, which decision 0005 describes.
"""

from pathlib import Path

import msgspec
import pytest

from cupola.kit.errors import EngineFailed
from cupola.wire.azure.encode import STYLE as AZURE
from cupola.wire.canonical import Call, Candidate, FinishReason, TokenLogprob, Usage
from cupola.wire.completion import Choice, Chunks, Head, NamedCall, Reply, Style, encode_reply
from cupola.wire.mistral.encode import STYLE as MISTRAL
from cupola.wire.openai.encode import STYLE as OPENAI

GOLDEN = Path(__file__).parent / "golden"
HEAD = Head("0a1234b5de6789f01gh2i345j6789klm", 1718726686, "Mistral-Large")
STREAM_HEAD = Head("23b54589eba14564ad8a2e6978775a39", 1718726371, "Mistral-Large")
CALL = NamedCall(
    "abc0dF1gh",
    Call("get_flight_info", '{"origin_city": "Miami", "destination_city": "Seattle"}'),
)
REASONS: list[FinishReason] = ["stop", "length", "tool_calls", "content_filter", "error"]


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_a_whole_reply_is_the_samples():
    """Keys, their order and the nulls are those of the service."""
    reply = Reply([Choice("As of now, it's estimated …", (), "stop")], Usage(19, 72))

    assert golden("reply.json") == encode_reply(HEAD, reply, AZURE)


@pytest.mark.parametrize("style", [AZURE, MISTRAL, OPENAI], ids=["azure", "mistral", "openai"])
def test_text_alone_looks_the_same_in_each_dialect(style: Style):
    """The dialects differ in calls and streams only."""
    reply = Reply([Choice("As of now, it's estimated …", (), "stop")], Usage(19, 72))

    assert golden("reply.json") == encode_reply(HEAD, reply, style)


def test_a_call_is_the_samples():
    """Empty content, arguments as text, `call_id` as null, a reason of its own."""
    reply = Reply([Choice("", [CALL], "tool_calls")], Usage(190, 36))

    assert golden("reply_call.json") == encode_reply(HEAD, reply, AZURE)


@pytest.mark.parametrize("style", [MISTRAL, OPENAI], ids=["mistral", "openai"])
def test_call_id_is_azures_alone(style: Style):
    """Neither of the native APIs has that key."""
    reply = Reply([Choice("", [CALL], "tool_calls")], Usage(190, 36))

    expected = golden("reply_call.json").replace(b',"call_id":null', b"")
    assert expected == encode_reply(HEAD, reply, style)


@pytest.mark.parametrize("style", [AZURE, MISTRAL], ids=["azure", "mistral"])
def test_a_stream_is_the_samples(style: Style):
    """The role first, usage in the last chunk, which has a reason and empty content."""
    chunks = Chunks(STREAM_HEAD, style)

    sent = chunks.text("Hé\n") + chunks.text('"7,000"')
    assert golden("stream.sse") == sent + chunks.last("stop", Usage(19, 72))


def test_usage_in_a_chunk_of_its_own():
    """As OpenAI's clients that ask for it expect: no choice in it, and none elsewhere."""
    chunks = Chunks(STREAM_HEAD, OPENAI)

    sent = chunks.text("Hi") + chunks.last("length", Usage(19, 1))
    assert golden("stream_own_usage.sse") == sent


def test_calls_stream_whole():
    """One chunk a call, numbered; a delta of a call has no content and no null."""
    chunks = Chunks(STREAM_HEAD, AZURE)

    sent = chunks.call(CALL) + chunks.call(CALL)
    assert golden("stream_calls.sse") == sent + chunks.last("tool_calls", Usage(190, 72))


def test_a_failure_ends_a_stream_as_an_answer_would():
    """Clients that stop at a reason stop; those that look for `error` find it."""
    chunks = Chunks(STREAM_HEAD, AZURE)

    sent = chunks.failed(EngineFailed("It died.", private="kill -9"))
    assert golden("stream_failed.sse") == sent


@pytest.mark.parametrize("reason", REASONS)
def test_every_event_is_one_line_of_data(reason: FinishReason):
    """The strictest parser splits at empty lines and wants `data: ` on the one line between."""
    chunks = Chunks(HEAD, AZURE)
    sent = chunks.text("a\r\n\n\u2028b") + chunks.last(reason, Usage(1, 1))

    events = sent.removesuffix(b"\n\n").split(b"\n\n")
    assert all(event.startswith(b"data: ") and b"\n" not in event for event in events)
    assert b"\r" not in sent


LOGPROBS = (
    TokenLogprob(
        Candidate(b" Paris", -0.25),
        (Candidate(b" Paris", -0.25), Candidate(b"\xc3", -1.5)),
    ),
    TokenLogprob(Candidate(b"!", float("-inf")), (Candidate(b".", -0.5),)),
)


def test_two_choices_with_logprobs():
    """The shape of OpenAI and vLLM: half a character is bytes, minus infinity a number."""
    reply = Reply(
        [Choice(" Paris!", (), "stop", LOGPROBS), Choice("Rome", (), "length")], Usage(4, 3)
    )

    assert golden("reply_logprobs.json") == encode_reply(HEAD, reply, AZURE)


def test_the_chosen_token_among_the_alternatives():
    """Llama's `logprobs: N` gives up to N + 1 entries."""
    style = msgspec.structs.replace(AZURE, chosen_too=True)
    reply = Reply([Choice(" Paris!", (), "stop", LOGPROBS)], Usage(4, 2))

    told = msgspec.json.decode(encode_reply(HEAD, reply, style))["choices"][0]["logprobs"]
    tops = [[top["token"] for top in place["top_logprobs"]] for place in told["content"]]
    assert [[" Paris", "\ufffd"], [".", "!"]] == tops


def test_a_stream_of_two_choices():
    """Each opens with its role and ends with its reason; usage comes once, at the end."""
    chunks = Chunks(STREAM_HEAD, AZURE)

    sent = chunks.text("a", 1) + chunks.text("b", 0, LOGPROBS[:1]) + chunks.finish("length", 1)
    assert golden("stream_choices.sse") == sent + chunks.last("stop", Usage(4, 3), 0)
