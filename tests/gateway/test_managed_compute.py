"""Against the replies of Microsoft's own managed-compute server, as far as they are known.

Each case is what that server replies: a status, and the keys of its body. Ours is the same, or the
case names what ours is instead and decision 0012 says why.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cupola.engines.port import Generation
from cupola.gateway.directory import Served
from cupola.kit.errors import Filtered, TooLong
from cupola.wire.canonical import Event, Failed
from tests.gateway.fakes import (
    HELLO,
    Caller,
    FixedPool,
    Script,
    ScriptedReplica,
    gateway_of,
    saying,
    served,
)

DECISION = Path(__file__).parents[2] / "docs/decisions/0012-unlike-managed-compute.md"
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f", "description": "F."}}]}
SCORE = {"input_data": {"input_string": CHAT["messages"], "parameters": {}}}

REPLY = {
    "id": None,
    "object": None,
    "created": None,
    "model": None,
    "choices": [{"index": None, "message": {"role": None, "content": None, "tool_calls": None},
                 "finish_reason": None, "logprobs": None}],
    "usage": {"prompt_tokens": None, "total_tokens": None, "completion_tokens": None},
}  # fmt: skip
DETAIL = {"detail": None}
ERROR = {"error": {"code": None, "message": None, "status": None}}
NOT_SUPPORTED = {
    "status": None,
    "code": None,
    "detail": {"loc": [None], "input": None, "msg": None},
    "message": None,
}
FILTERED = {"error": {"message": None, "type": None, "param": None, "code": None, "status": None}}


def invalid(**context: Any) -> dict[str, Any]:
    """The body of a 422, whose only fault has `ctx` or not."""
    fault = {"type": None, "loc": [None], "msg": None, "input": None}
    return {
        "error": {
            "code": None,
            "status": None,
            "message": None,
            "details": [{**fault, **({"ctx": context} if context else {})}],
        }
    }


_HELLO = saying(*HELLO)


@dataclass(frozen=True)
class Case:
    """A request, what the original replies, and what we do if that is something else."""

    name: str
    path: str
    body: Any
    status: int
    shape: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    ours: tuple[int, Any] | None = None
    script: Script = _HELLO
    grammar: bool = True


def chat(name: str, status: int, shape: Any, change: Any = None, **others: Any) -> Case:
    """A case of `/chat/completions`, whose body is a good one but for `change`."""
    body = change if isinstance(change, bytes) else {**CHAT, **(change or {})}
    return Case(name, "/chat/completions", body, status, shape, **others)


async def _break(request: Generation) -> AsyncGenerator[Event, None]:
    raise RuntimeError
    yield


def header(value: str) -> dict[str, str]:
    return {"extra-parameters": value}


OUT_OF_RANGE = {"temperature": 1.5}
TOO_LONG = saying(Failed(TooLong("It does not fit.")))
BLOCKED = saying(Failed(Filtered("It was filtered.")))

CASES = [
    chat("a chat", 200, REPLY),
    chat("a number as a string", 200, REPLY, {"presence_penalty": "0.1"}),
    chat("null for nothing", 200, REPLY, {"max_tokens": None, "tools": None, "tool_choice": None}),
    chat("unknown field", 400, DETAIL, {"foo": 1}),
    chat("unknown field, told to fail", 400, DETAIL, {"foo": 1}, headers=header("error")),
    chat("unknown field, told to drop", 200, REPLY, {"foo": 1}, headers=header("drop")),
    chat("unknown header value", 400, DETAIL, headers=header("Pass-Through")),
    chat("too low a temperature", 422, invalid(ge=None), {"temperature": -1}),
    chat("no messages", 422, invalid(error={}), {"messages": []}),
    Case("messages missing", "/chat/completions", {"stop": "x"}, 422, invalid()),
    chat("unknown role", 422, invalid(expected=None), {"messages": [{"role": "x"}]}),
    chat("broken JSON", 422, invalid(error=None), b"{"),
    chat("unknown format", 422, invalid(expected=None), {"response_format": {"type": "xml"}}),
    chat("the engine refuses", 400, ERROR, script=TOO_LONG),
    chat("the server fails", 500, ERROR, script=_break),
    Case("health", "", None, 200, "healthy"),
    Case("info", "/info", None, 200,
         {"model_name": None, "model_type": None, "model_provider_name": None}),
    Case("wrong method", "/chat/completions", None, 405, ERROR),
    Case("score", "/score", SCORE, 200, {"output": None}),
    # Ours is something else:
    chat("temperature above 1", 422, invalid(le=None), OUT_OF_RANGE, ours=(200, REPLY)),
    chat("temperature null", 422, invalid(), {"temperature": None}, ours=(200, REPLY)),
    chat("role developer", 422, invalid(expected=None),
         {"messages": [{"role": "developer", "content": "Hi"}]}, ours=(200, REPLY)),
    chat("format json_schema", 422, invalid(error={}),
         {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
         ours=(200, REPLY)),
    chat("tool_choice object", 422, invalid(),
         {**TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}},
         ours=(200, REPLY)),
    chat("tools", 400, DETAIL, TOOLS, ours=(200, REPLY)),
    chat("tools the model lacks", 400, DETAIL, TOOLS, grammar=False, ours=(422, NOT_SUPPORTED)),
    chat("JSON mode", 400, DETAIL, {"response_format": {"type": "json_object"}},
         ours=(200, REPLY)),
    chat("JSON mode the model lacks", 400, DETAIL, {"response_format": {"type": "json_object"}},
         grammar=False, ours=(422, NOT_SUPPORTED)),
    Case("wrong task", "/embeddings", {"input": ["a"]}, 400, ERROR, ours=(404, ERROR)),
    chat("blocked prompt", 400, ERROR, script=BLOCKED, ours=(400, FILTERED)),
    Case("score fails", "/score", {**SCORE, "input_data": {"input_string": []}}, 200, {},
         ours=(422, invalid(error={}))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_replies_are_those_of_managed_compute(case: Case):
    """Or those that decision 0012 puts in their place."""
    response = await Caller(gateway_of(endpoint(case))).call(
        f"/endpoints/pilot{case.path}", case.body, headers=dict(case.headers)
    )
    said: Any = response.body.decode()
    if response.headers["content-type"] == "application/json":
        said = _shape(msgspec.json.decode(response.body))

    assert (case.ours or (case.status, case.shape)) == (response.status, said)


def test_each_difference_has_a_reason():
    """The decision has a row for each, and for nothing else."""
    rows = re.findall(r"^\| ([^|]+?) \| \d", DECISION.read_text("utf-8"), re.MULTILINE)

    assert rows == [case.name for case in CASES if case.ours]


def endpoint(case: Case) -> Served:
    pilot = served(FixedPool([ScriptedReplica(case.script)]))
    if case.grammar:
        return pilot
    return replace(pilot, profile=replace(pilot.profile, grammar=False, tool_calls_token=None))


def _shape(value: Any) -> Any:
    """The keys of a JSON value; of a list, those of its first item. `input` is the caller's own."""
    if isinstance(value, dict):
        return {name: None if name == "input" else _shape(part) for name, part in value.items()}
    return [_shape(part) for part in value[:1]] if isinstance(value, list) else None
