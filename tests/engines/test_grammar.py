"""Constraints as grammars, tried by feeding texts to a matcher byte by byte."""

import json
from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from cupola.engines.grammar import write_grammar
from cupola.engines.port import Constraint, JsonOutput, ToolOutput
from cupola.kit.errors import Invalid
from cupola.wire.canonical import Tool

TOKENIZER = LLTokenizer("byte")
CITY = Tool(
    "find",
    parameters={
        "type": "object",
        "properties": {"city": {"$ref": "#/$defs/name"}, "at": {"type": "object"}},
        "required": ["city"],
        "$defs": {"name": {"type": "string", "maxLength": 9}},
    },
)
PLAIN = Tool('say "hé"')


def accepts(constraint: Constraint, text: str, *, leading_space: bool = True) -> bool:
    """Whether `text` is a complete reply; `<call>` in it stands for the token of tool calls."""
    grammar = write_grammar(constraint, tool_calls_token=5, leading_space=leading_space)
    _, _, rules = grammar.partition("\n")
    rules = rules.replace("<[5]>", '"<call>"')  # a byte tokenizer has no control token
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(rules))
    assert not matcher.is_error(), matcher.get_error()
    tokens = TOKENIZER.tokenize_str(text)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


def call(name: str, arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (' {"a": 1}', True),
        ('{"a": 1}', True),
        ("{}", True),
        ('  {"a": 1}', False),
        ('{ "a": 1}', False),
        ('{"a":1}', False),
        ("[]", False),
        ("text", False),
    ],
)
def test_json_mode(text: str, fits: bool) -> None:
    """One object, spaced as `json.dumps` does, after at most one space."""
    assert fits == accepts(JsonOutput({"type": "object"}), text)


def test_no_leading_space_where_the_model_has_none() -> None:
    """A byte-level model begins with the JSON itself."""
    assert not accepts(JsonOutput({"type": "object"}), " {}", leading_space=False)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("<call> [" + call("find", {"city": "Oslo"}) + "]", True),
        ("<call> [" + call("find", {"city": "Oslo", "at": {"x": [1]}}) + "]", True),
        ("<call> [" + call('say "hé"', {}) + "]", True),
        ("<call> [" + call("find", {"city": "O"}) + ", " + call("find", {"city": "L"}) + "]", True),
        ("<call> []", False),
        ("<call> [" + call("find", {}) + "]", False),
        ("<call> [" + call("find", {"city": "longer than nine"}) + "]", False),
        ("<call> [" + call("find", {"city": "Oslo", "more": 1}) + "]", False),
        ("<call> [" + call("other", {}) + "]", False),
        ("<call> [" + call('say "hé"', {"x": 1}) + "]", False),
        ("text", False),
    ],
)
def test_required_calls(text: str, fits: bool) -> None:
    """Calls of offered functions only, closed to arguments that are not described."""
    assert fits == accepts(ToolOutput((CITY, PLAIN), "required", parallel=True), text)


def test_single_call() -> None:
    """Without parallel calls there is exactly one."""
    two = ", ".join([call("find", {"city": "Oslo"})] * 2)

    assert not accepts(ToolOutput((CITY,), "required", parallel=False), f"<call> [{two}]")


@pytest.mark.parametrize(
    "text", ["", " any\ntext, [even] {this}", "<call> [" + call("t", {}) + "]"]
)
def test_auto(text: str) -> None:
    """Text of any kind, or calls."""
    assert accepts(ToolOutput((Tool("t"),), "auto", parallel=True), text)


def test_auto_with_json() -> None:
    """Where text must be JSON, it is JSON or calls."""
    constraint = ToolOutput((Tool("t"),), "auto", True, JsonOutput({"type": "object"}))

    assert accepts(constraint, " {}")
    assert accepts(constraint, "<call> [" + call("t", {}) + "]")
    assert not accepts(constraint, "text")


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"not": {"type": "string"}}, "not"),
        ({"type": "strin"}, "strin"),
        ({"$ref": "#/$defs/none"}, "/\\$defs/none"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "string", "pattern": "(?=x)y"}, "look-around"),
        ({"allOf": [{"pattern": f"a{i}.*"} for i in range(60)]}, "patterns"),
        ({"enum": ["x" * 40_000]}, "longer"),
        ({"enum": []}, "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusable_schema(schema: dict[str, Any], complaint: str) -> None:
    """A schema that the decoder cannot enforce is refused with the reason and the place."""
    with pytest.raises(Invalid, match=complaint) as caught:
        write_grammar(JsonOutput(schema), tool_calls_token=5, leading_space=True)

    assert caught.value.path == ("response_format",)


def test_schema_nested_too_deep() -> None:
    """Depth is bounded, for schemas are read by recursion elsewhere."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        schema = {"type": "array", "items": schema}

    with pytest.raises(Invalid, match="deeper"):
        write_grammar(JsonOutput(schema), tool_calls_token=5, leading_space=True)


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "string"},
        {"type": "object", "not": {}},
        {"type": "object", "required": 5},
        {"type": "object", "required": [{}]},
        {
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {}, "required": 5}},
        },
    ],
)
def test_unusable_parameters(parameters: dict[str, Any]) -> None:
    """The refusal says which function's parameters are meant."""
    constraint = ToolOutput((CITY, Tool("f", parameters=parameters)), "auto", parallel=True)

    with pytest.raises(Invalid) as caught:
        write_grammar(constraint, tool_calls_token=5, leading_space=True)

    assert caught.value.path == ("tools", 1, "function", "parameters")


def test_model_without_the_token_calls_in_an_object() -> None:
    """The reply is one call; a text may then not begin as one does."""
    constraint = ToolOutput((Tool("f", parameters={"type": "object"}),), "auto", True)
    grammar = write_grammar(constraint, tool_calls_token=None, leading_space=False)

    assert "start: calls | reply" in grammar
    assert "calls: call\n" in grammar
    assert r'call_0: "{\"name\": \"f\", \"parameters\": " arguments_0 "}"' in grammar
    assert r"reply: /\s*([^{\s](.|\n)*)?/" in grammar


def test_white_space_is_not_the_callers_to_choose() -> None:
    """A schema's own `x-guidance` does not loosen the grammar."""
    schema = {"type": "object", "x-guidance": {"whitespace_flexible": True}}

    assert not accepts(JsonOutput(schema), '{"a":   1}')
