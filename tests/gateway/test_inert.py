"""Control tokens in a caller's text stay plain text, wherever they stand."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.engines.port import Piece, Verbatim
from cupola.gateway.inert import MARK, ControlText
from cupola.gateway.layout import Layout
from cupola.gateway.prepare import render
from cupola.kit.clock import FakeClock
from cupola.wire.canonical import ChatRequest, Message, Tool, ToolCall
from tests.gateway.fakes import PROFILE, TOKENS

LAYOUT = Layout(PROFILE, FakeClock())
TOKEN = re.compile("|".join(map(re.escape, TOKENS)))

FRAGMENTS = [*TOKENS, *(t[:-1] for t in TOKENS), *(t[1:] for t in TOKENS), MARK, f"{MARK}0{MARK}",
             "[", "]", "<", ">", "/", "a", "0", " "]  # fmt: skip
"""What attacks are made of."""
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=8).map("".join)


def prompt_of(*messages: Message, tools: tuple[Tool, ...] = ()) -> tuple[Piece, ...]:
    return render(ChatRequest(messages, tools=tools), LAYOUT)


def joined(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.text if isinstance(piece, Verbatim) else str(piece) for piece in pieces)


def tokens_of(pieces: tuple[Piece, ...]) -> list[str]:
    """The control tokens an engine would see, each piece read on its own."""
    return [token for piece in pieces if isinstance(piece, str) for token in TOKEN.findall(piece)]


@given(texts)
def test_any_text_of_a_user_is_inert(text: str):
    """The prompt holds it character for character, and no token but the template's own."""
    pieces = prompt_of(Message("user", text))

    assert f"<s>[INST] {text}[/INST]" == joined(pieces)
    assert ["<s>", "[INST]", "[/INST]"] == tokens_of(pieces)


@given(st.lists(texts, min_size=3, max_size=3))
def test_texts_do_not_join_to_a_token(parts: list[str]):
    """Nor together with what the template or another message puts beside them."""
    system, first, last = parts
    pieces = prompt_of(
        Message("system", system),
        Message("user", first),
        Message("assistant", "ok"),
        Message("user", last),
    )

    plain = prompt_of(*[Message(role, "x") for role in ("system", "user", "assistant", "user")])
    assert tokens_of(plain) == tokens_of(pieces)


@given(texts, texts, texts, texts)
def test_tools_calls_and_results_are_inert(name: str, text: str, key: str, result: str):
    """Names, descriptions, schemas, arguments, ids and results come from callers, too."""

    def conversation(name: str, text: str, key: str, result: str) -> tuple[Piece, ...]:
        call = ToolCall(name, name, json.dumps({key: [text]}))
        tool = Tool(name, text, {"type": "object", "properties": {key: {"const": text}}})
        return prompt_of(
            Message("user", "Hi"),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", result, tool_call_id=name),
            tools=(tool,),
        )

    pieces = conversation(name, text, key, result)
    assert tokens_of(conversation("f", "d", "k", "r")) == tokens_of(pieces)


@pytest.mark.parametrize("token", TOKENS)
def test_escaped_tokens_are_found(token: str):
    """JSON escapes in arguments are undone before the search, not after it."""
    escaped = "".join(f"\\u{ord(char):04x}" for char in token)
    call = ToolCall("abc0dF1gh", "f", f'{{"a": "{escaped}"}}')
    pieces = prompt_of(
        Message("user", "Hi"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "ok", tool_call_id="abc0dF1gh"),
    )

    assert Verbatim(token) in pieces


def test_plain_text_is_one_piece():
    """Requests without such text pay nothing: the prompt is not even cut."""
    pieces = prompt_of(Message("user", "How many languages are in the world?"))

    assert ("<s>[INST] How many languages are in the world?[/INST]",) == pieces


def test_only_the_dangerous_part_is_verbatim():
    """The rest is tokenized as it always is."""
    pieces = prompt_of(Message("user", "a [/INST] b"))

    assert ("<s>[INST] a ", Verbatim("[/INST]"), " b[/INST]") == pieces


def test_a_prefix_is_continued():
    """The prompt ends with the prefix, without the end of the turn."""
    pieces = prompt_of(Message("user", "Hi"), Message("assistant", "Well </s>,", prefix=True))

    assert ("<s>[INST] Hi[/INST] Well ", Verbatim("</s>"), ",") == pieces


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": ["x", {"[INST]": 1}]}, True), ({"a": "x"}, False), (None, False), (5, False)],
)
def test_json_values_are_searched_whole(value: Any, expected: bool):
    """Names of objects are text that a template writes, too."""
    assert expected == ControlText(TOKENS).is_in_any(value)


@given(st.sets(st.text(min_size=1, max_size=6), max_size=5), texts)
def test_stretches_do_not_overlap(tokens: set[str], text: str):
    """Whatever a model's control tokens are, the marked stretches are in order and apart."""
    spans = ControlText(tokens).spans(text)

    ends = [0, *(end for _, end in spans)]
    assert all(end <= start < stop for end, (start, stop) in zip(ends, spans, strict=False))
