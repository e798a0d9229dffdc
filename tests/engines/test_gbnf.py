"""Schemas as GBNF: a random model that is held to one cannot but satisfy it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cupola.engines.gbnf import Grammar, quote
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Generation, JsonOutput
from cupola.kit.errors import Invalid
from cupola.wire.canonical import Delta, Finish
from tests.models import build_tiny_model

SHORT = {"type": "string", "maxLength": 3}
SCHEMAS: dict[str, dict[str, Any]] = {
    "optional": {
        "type": "object",
        "properties": {"a": SHORT, "b": {"type": "boolean"}, "c": {"type": "null"}},
        "required": ["b"],
        "additionalProperties": False,
    },
    "all optional": {
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"enum": ["x", 2, None]}, "c": {"const": "\"\\é\n"}},
    },
    "array": {"type": "array", "items": {"type": "integer", "minimum": -2, "maximum": 11},
              "minItems": 2, "maxItems": 4},
    "nothing": {"type": "array", "maxItems": 0},
    "choice": {"anyOf": [{"type": "string", "minLength": 2, "maxLength": 2}, {"type": "null"}]},
    "types": {"type": ["boolean", "null"]},
    "reference": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"enum": [3, 4]}}},
    "recursion": {
        "type": "object",
        "properties": {
            "leaf": {"type": "boolean"},
            "child": {"anyOf": [{"type": "null"}, {"$ref": "#"}]},
        },
        "required": ["leaf", "child"],
        "additionalProperties": False,
    },
    "map": {"type": "object", "additionalProperties": {"enum": [0, 1]}},
    "annotated": {"type": "boolean", "title": "T", "description": "D", "format": "x"},
    "guessed": {"properties": {"a": {"enum": [1]}}, "required": ["a"]},
}  # fmt: skip


async def test_replies_satisfy_their_schemas(tmp_path: Path) -> None:
    """Or were cut by their length, and then are the beginning of one that could."""
    replica = LlamaCppReplica(
        build_tiny_model(tmp_path / "old.gguf", add_space_prefix=True, tool_calls=False),
        tmp_path / "run", slots=1, context_length=256, threads=1, log_folder=tmp_path / "log",
    )  # fmt: skip
    await replica.start()
    whole = 0
    for schema in SCHEMAS.values():
        for seed in range(3):
            request = Generation(prompt=("<s>x",), constraint=JsonOutput(schema), seed=seed,
                                 temperature=1.0, max_tokens=120)  # fmt: skip
            events = [event async for event in replica.generate(request)]
            last = events[-1]
            assert isinstance(last, Finish), last
            text = "".join(event.text for event in events if isinstance(event, Delta))
            if last.reason == "stop":
                jsonschema.validate(json.loads(text), schema)
                whole += 1
    await replica.stop()

    assert whole > 2 * len(SCHEMAS)


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "string", "pattern": "a+"}, "'pattern'"),
        ({"type": "number", "minimum": 1}, "'minimum'"),
        ({"type": "integer", "minimum": 1}, "range"),
        ({"type": "integer", "minimum": 0, "maximum": 10**6}, "range"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "object", "not": {}}, "'not'"),
        ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, "'allOf'"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "requires"),
        ({"type": "object", "properties": {"a": {}}, "required": ["b"]}, "requires"),
        ({"$ref": "http://elsewhere"}, "leads out"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"type": "date"}, "'date'"),
        ({"type": "array", "items": 5}, "not an object"),
        ({"type": "string", "maxLength": "x"}, "maxLength"),
        ({"enum": []}, "enum"),
        ({"allOf": 5}, "'allOf'"),
        ({"type": ["object", {}]}, "type"),
        ({"type": "object", "properties": 5}, "'properties'"),
        ({"type": "object", "properties": {"a": {}}, "required": 5}, "'required'"),
        ({"type": "object", "properties": {"a": {}}, "required": [{}]}, "'required'"),
    ],
)
def test_what_would_be_lost_is_refused(schema: dict[str, Any], word: str):
    """By the keyword that cannot be enforced."""
    with pytest.raises(Invalid) as refused:
        Grammar().add_schema("json", schema, path=("response_format",))

    assert word in refused.value.public
    assert ("response_format",) == refused.value.path


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": None, "maxItems": 2},
        {"type": "object", "properties": None, "required": None},
        {"type": "object", "properties": {"a": {}}, "required": None},
    ],
)
def test_null_is_as_good_as_nothing(schema: dict[str, Any]):
    """Clients write what is not set as null."""
    name = Grammar().add_schema("json", schema, path=())

    assert "json" == name


def test_endless_schemas_are_refused():
    """A grammar is bounded, whatever is written into a request."""
    deep: dict[str, Any] = {"type": "boolean"}
    for _ in range(3000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Invalid):
        Grammar().add_schema("json", deep, path=())


def test_literals_are_escaped():
    """Nothing in a name can end its literal."""
    assert r'"a\"b\\c\nd"' == quote('a"b\\c\nd')
