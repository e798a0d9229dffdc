"""Calls of functions that Llama 3.1 knows by heart: which may be, what the decoder allows of them,
and how they are read, by themselves and from llama.cpp's stream."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from cupola.engines.by_heart import PythonTokens, find_argument, find_python_tokens, read_known
from cupola.engines.grammar import write_grammar
from cupola.engines.llamacpp.completion import CompletionWriter
from cupola.engines.llamacpp.reply import Reply
from cupola.engines.port import Generation, JsonOutput, ToolOutput
from cupola.wire.canonical import Call, Delta, Event, Failed, Finish, Options, Tool, Usage
from tests.engines.test_completion import VOCABULARY, chunk, last

TOKENIZER = LLTokenizer("byte")
TAG, END = 4, 3
PYTHON = PythonTokens(TAG, END)
TEXT: dict[str, Any] = {"type": "string"}


def takes(*, required: bool = True, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return schema | ({"required": list(properties)} if required else {})


SEARCH = Tool("brave_search", parameters=takes(query={**TEXT, "maxLength": 9}))
ALPHA = Tool("wolfram_alpha", parameters=takes(query=TEXT))
RUN = Tool("code_interpreter", parameters=takes(source=TEXT))
FIND = Tool("find", parameters=takes(city={"enum": ["Oslo", "Lima"]}))
TOOLS = (SEARCH, ALPHA, RUN, FIND)
KNOWN = ("brave_search", "wolfram_alpha", "code_interpreter")
ALL = ToolOutput(TOOLS, "required", False, by_heart=KNOWN)
FIND_OSLO = '{"name": "find", "parameters": {"city": "Oslo"}}'


def accepts(constraint: ToolOutput, text: str) -> bool:
    """Whether `text` is a complete reply; `<tag>` and `<end>` in it stand for the tokens."""
    grammar = write_grammar(constraint, tool_calls_token=None, leading_space=False, python=PYTHON)
    _, _, rules = grammar.partition("\n")
    # A byte tokenizer has no control token; as these characters no text is taken for one.
    rules = rules.replace(f"<[{TAG}]>", '"<tag>"').replace(f"<[{END}]>", '"<end>"')
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(rules))
    assert not matcher.is_error(), matcher.get_error()
    tokens = TOKENIZER.tokenize_str(text)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        (SEARCH, "query"),
        (ALPHA, "query"),
        (RUN, "source"),
        (Tool("brave_search", parameters={"properties": {"query": TEXT}}), "query"),
        (Tool("brave_search", parameters=takes(query={**TEXT, "enum": ["a"]})), "query"),
        (FIND, None),
        (Tool("brave_search"), None),
        (Tool("brave_search", parameters=takes(q=TEXT)), None),
        (Tool("brave_search", parameters=takes(query={"type": "integer"})), None),
        (Tool("brave_search", parameters=takes(query={"$ref": "#/$defs/q"})), None),
        (Tool("brave_search", parameters=takes(query=TEXT, count=TEXT)), None),
        (Tool("brave_search", parameters=takes(required=False, query=TEXT, count=TEXT)), None),
        (Tool("brave_search", parameters=takes(query=TEXT) | {"minProperties": 2}), None),
        (Tool("brave_search", parameters=takes(query=TEXT) | {"required": ["more"]}), None),
        (Tool("brave_search", parameters=takes(query=TEXT) | {"required": [["query"]]}), None),
        (Tool("brave_search", parameters={"type": "object", "properties": []}), None),
        (Tool("brave_search", parameters=takes(query=True)), None),
        (Tool("code_interpreter", parameters=takes(source={**TEXT, "maxLength": 9})), None),
        (Tool("code_interpreter", parameters={"properties": {"no name": TEXT}}), None),
    ],
)
def test_only_schemas_that_the_form_can_hold(tool: Tool, argument: str | None) -> None:
    """One string, under the name that the model knows; code has no limits that could be held."""
    assert argument == find_argument(tool)


def test_only_models_of_that_kind() -> None:
    """Byte-level, with the tag, and without another way to open calls."""
    control = {"<|python_tag|>": 4, "<|eom_id|>": 3}

    assert PYTHON == find_python_tokens("gpt2", control)
    assert PythonTokens(4, None) == find_python_tokens("gpt2", {"<|python_tag|>": 4})
    assert find_python_tokens("llama", control) is None
    assert find_python_tokens("gpt2", {"<|eom_id|>": 3}) is None
    assert find_python_tokens("gpt2", {**control, "[TOOL_CALLS]": 5}) is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('<tag>brave_search.call(query="weather")<end>', True),
        ('<tag>brave_search.call(query="weather")', True),
        ('<tag>brave_search.call(query="\\"é\\"")', True),
        ('<tag>brave_search.call(query="more than nine")', False),
        ("<tag>brave_search.call(query=7)", False),
        ("<tag>brave_search.call()", False),
        ('<tag>brave_search.call(query="a") + 1', False),
        ('<tag>brave_search.call(q="a")', False),
        ('brave_search.call(query="weather")', False),
        ('<tag>wolfram_alpha.call(query="more than nine")<end>', True),
        ('<tag>find.call(city="Oslo")', True),  # code, for the model knows no such function
        ("<tag>a = {1: 2}\nprint(a)<end>", True),
        ("<tag>", False),
        ("<tag>{1: 2}", False),
        (f"<tag>{FIND_OSLO}<end>", True),
        (f"{FIND_OSLO}<end>", True),
        (FIND_OSLO, True),
        ('<tag>{"name": "find", "parameters": {"city": "Rome"}}', False),
        ('<tag>{"name": "brave_search", "parameters": {"query": "weather"}}<end>', True),
        ("text", False),
    ],
)
def test_required_calls(text: str, fits: bool) -> None:
    """In either form, held to the caller's schema; what begins as a call is nothing else."""
    assert fits == accepts(ALL, text)


def test_without_the_form() -> None:
    """Functions that are not said to be known are called in JSON; the tag may stand before it."""
    constraint = ToolOutput((SEARCH, FIND), "required", False)

    assert accepts(constraint, f"<tag>{FIND_OSLO}<end>")
    assert not accepts(constraint, '<tag>brave_search.call(query="a")')
    assert not accepts(constraint, "<tag>text")
    assert not accepts(constraint, f"<tag><tag>{FIND_OSLO}")
    assert accepts(ToolOutput((SEARCH, FIND), "auto", False), "text")


WRITABLE = st.characters(exclude_characters="\x7f", exclude_categories=["Cs"])
"""Of DEL the decoder takes the escape only."""


@given(query=st.text(WRITABLE, max_size=9))
def test_what_is_asked_comes_whole(query: str) -> None:
    """Whatever the model asks for is the argument."""
    text = f"brave_search.call(query={json.dumps(query, ensure_ascii=False)})"
    call = read_known(text, TOOLS, KNOWN)

    assert accepts(ALL, f"<tag>{text}")
    assert call is not None
    assert ("brave_search", {"query": query}) == (call.name, json.loads(call.arguments))


PARTS = st.sampled_from(
    ['brave_search.call(query="', "wolfram_alpha.call(", "0123456789", '")', '"', "find", "\\",
     "\n", " ", "{", "}", '{"name": "find", "parameters": ', '{"city": "Rome"}', '{"city": "Oslo"}']
)  # fmt: skip


@given(text=st.lists(PARTS, max_size=4).map("".join))
def test_what_the_decoder_allows_is_read_as_it_was_held(text: str) -> None:
    """No text passes as code and is read as a call that the schema forbids."""
    said = end_of(ALL, *stream(text))
    if not accepts(ALL, f"<tag>{text}"):
        return
    [call, _] = said
    assert isinstance(call, Call)
    [tool] = [tool for tool in TOOLS if tool.name == call.name]
    jsonschema.validate(json.loads(call.arguments), tool.parameters)


LLAMA = replace(
    VOCABULARY,
    tool_calls_token=None,
    python=PYTHON,
    banned=(0, 1, TAG),
    control_texts=("<s>", "</s>", "<|eom_id|>", "<|python_tag|>"),
    tokens=(b"<unk>", b"<s>", b"</s>", b"<|eom_id|>", b"<|python_tag|>", *VOCABULARY.tokens[5:]),
    ends=frozenset([2, END]),
    leading_space=False,
    spaced=re.compile("(?!)"),
)


def stream(text: str, *, tagged: bool = True, size: int = 3) -> list[bytes]:
    """llama.cpp's chunks: `<|python_tag|>`, `text` in pieces, `<|eom_id|>`."""
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    said = [chunk("", 1, [TAG])] if tagged else []
    said += [chunk(piece, i) for i, piece in enumerate(pieces, 2)]
    return [*said, chunk("", 9, [END]), last(9)]


def request_of(constraint: ToolOutput, **fields: Any) -> Generation:
    return Generation(prompt=("x",), constraint=constraint, **fields)


def end_of(constraint: ToolOutput, *data: bytes, **fields: Any) -> list[Event]:
    reply = Reply(request_of(constraint, **fields), LLAMA, opens=False)
    said = [event for part in data for event in reply.receive(part)]
    return [*said, *reply.end()]


QUERY = 'brave_search.call(query="é \\"b\\" \\u00e9")'
CODE = 'print("é")\n\nprint(2)'
AUTO = ToolOutput(TOOLS, "auto", False, by_heart=KNOWN)
READINGS = [
    (QUERY, Call("brave_search", '{"query": "é \\"b\\" \\u00e9"}')),
    (CODE, Call("code_interpreter", json.dumps({"source": CODE}, ensure_ascii=False))),
    (FIND_OSLO, Call("find", '{"city": "Oslo"}')),
]


@given(
    case=st.sampled_from(READINGS),
    size=st.integers(1, 50),
    cuts=st.lists(st.integers(0, 1_000), max_size=20),
    incremental=st.booleans(),
    shown=st.booleans(),
    content=st.sampled_from([None, JsonOutput({"type": "object"})]),
)
def test_neither_tokens_nor_cuts_change_a_call(
    case: tuple[str, Call],
    size: int,
    cuts: list[int],
    incremental: bool,
    shown: bool,
    content: JsonOutput | None,
) -> None:
    """However the model's tokens fall and the bytes are cut, one call comes and nothing leaks."""
    text, call = case
    data = b"".join(stream(text, size=size))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    said = end_of(
        ToolOutput(TOOLS, "auto", False, content, KNOWN),
        *[data[a:b] for a, b in pairwise(edges)],
        incremental=incremental,
        options=Options(skip_special_tokens=not shown),
    )

    assert [call, Finish("tool_calls", Usage(7, 9))] == said


@given(size=st.integers(1, 9))
def test_text_that_looks_like_a_call_is_text(size: int) -> None:
    """Without the tag the form is what a model may quote."""
    *deltas, finish = end_of(AUTO, *stream(QUERY, tagged=False, size=size))

    assert Finish("stop", Usage(7, 9)) == finish
    assert QUERY == "".join(event.text for event in deltas if isinstance(event, Delta))


@pytest.mark.parametrize(
    "text",
    ["brave_search.call(query=7)", 'brave_search.call(q="a")', 'brave_search.call(query="a',
     'brave_search.call(query="a"b")', "", '{"name": "other", "parameters": {}}', "{}"],
)  # fmt: skip
def test_a_broken_call_is_a_failure(text: str) -> None:
    """The engine may ignore a grammar; what then comes is never passed on as code or as a call."""
    [failed] = end_of(AUTO, *stream(text))

    assert isinstance(failed, Failed)


def test_code_is_read_only_where_it_was_offered() -> None:
    """A tag before plain text is no call otherwise."""
    [failed] = end_of(ToolOutput((SEARCH, FIND), "auto", False, by_heart=(SEARCH.name,)),
                      *stream(CODE))  # fmt: skip

    assert isinstance(failed, Failed)


def test_the_tag_may_be_said_only_with_tools() -> None:
    """It is banned unless calls are allowed; what ends a reply never is."""
    writer = CompletionWriter(LLAMA, context_length=512)

    plain = json.loads(writer.write(Generation(prompt=("x",)), [1]))
    calling = json.loads(writer.write(request_of(AUTO), [1]))
    assert [[0, False], [1, False], [TAG, False]] == plain["logit_bias"]
    assert [[0, False], [1, False]] == calling["logit_bias"]
