"""What must be true of each feature's facts, whoever the client is and whatever the weights say."""

import json
import re
from collections.abc import Callable, Mapping

import jsonschema

from tests.clients import samples
from tests.clients.run_client import Facts

MODEL = "Cupola-Pilot"
REPLIES = ("stop", "length")


def _info(facts: Facts) -> None:
    assert MODEL == facts["model"]


def _complete(facts: Facts) -> None:
    assert facts["text"]
    assert MODEL == facts["model"]
    assert facts["finish"] in REPLIES
    _adds_up(facts["usage"])


def _adds_up(usage: list[int]) -> None:
    prompt, completion, total = usage
    assert min(prompt, completion) > 0
    assert prompt + completion == total


def _stream(facts: Facts) -> None:
    assert len(facts["pieces"]) > 1
    assert all(isinstance(piece, str) for piece in facts["pieces"])
    assert facts["finish"] in REPLIES
    _adds_up(facts["usage"])


def _tools(facts: Facts) -> None:
    assert "tool_calls" == facts["finish"]
    assert facts["calls"]
    for call in facts["calls"]:
        assert re.fullmatch(samples.TOOL_CALL_ID, call["id"])
        assert "get_flight_info" == call["name"]
        jsonschema.validate(call["arguments"], samples.SHORT_FLIGHT_FUNCTION["parameters"])
    assert facts["answered"]["finish"] in (*REPLIES, "tool_calls")


def _json_mode(facts: Facts) -> None:
    assert facts["text"].lstrip().startswith("{")
    if facts["finish"] != "length":
        assert isinstance(json.loads(facts["text"]), dict)


def _json_schema(facts: Facts) -> None:
    assert "stop" == facts["finish"]
    jsonschema.validate(json.loads(facts["text"]), samples.ANSWER_SCHEMA)


def _choices(facts: Facts) -> None:
    assert 2 == len(facts["texts"])


def _logprobs(facts: Facts) -> None:
    assert facts["usage"][1] == len(facts["logprobs"])
    assert all(score <= 0 for score in facts["logprobs"])
    assert {2} == set(facts["alternatives"])


def _extras(facts: Facts) -> None:
    without, with_prompt = facts["lengths"]
    assert with_prompt > without


def _wrong_key(facts: Facts) -> None:
    assert 401 == facts["status"]
    assert "key" in facts["told"]


def _invalid(facts: Facts) -> None:
    assert facts["status"] in (400, 422)
    assert re.search("max_(completion_)?tokens", facts["told"])


def _not_found(facts: Facts) -> None:
    assert 404 == facts["status"]
    assert "no-such-endpoint" in facts["told"]


def _embeddings(facts: Facts) -> None:
    assert 404 == facts["status"]
    assert "embeddings" in facts["told"]


PROMISES: Mapping[str, Callable[[Facts], None]] = {
    "info": _info,
    "complete": _complete,
    "stream": _stream,
    "tools": _tools,
    "json_mode": _json_mode,
    "json_schema": _json_schema,
    "choices": _choices,
    "logprobs": _logprobs,
    "extras": _extras,
    "wrong_key": _wrong_key,
    "invalid": _invalid,
    "not_found": _not_found,
    "embeddings": _embeddings,
}
"""One for every feature of the matrix."""
