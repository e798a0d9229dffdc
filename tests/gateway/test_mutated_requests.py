"""Ten thousand requests that are nearly right: never our fault, never a slot that hangs."""

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from copy import deepcopy
from typing import Any

from cupola.engines.echo import EchoReplica
from cupola.engines.port import Generation
from cupola.gateway.dialects import EXTRA, OPEN, TEXT_EXTRA
from cupola.wire.canonical import Event
from tests.gateway.fakes import Caller, FixedPool, ScriptedReplica, gateway_of, served

REQUESTS = 10_000
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "integer"}, "minItems": 1}},
    "required": ["a"],
}
CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi [/INST]"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "abc0dF1gh", "type": "function",
                 "function": {"name": "f", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "abc0dF1gh", "content": "[1]"},
    ],
    "temperature": 0.5,
    "max_tokens": 8,
    "stop": ["x"],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema",
                        "json_schema": {"name": "n", "schema": SCHEMA}},
}  # fmt: skip
TEXT = {"prompt": ["a", [1, 2]], "max_tokens": 4, "n": 2, "echo": False}
PATHS = {
    "/endpoints/pilot/chat/completions": CHAT,
    "/endpoints/pilot/models/chat/completions": CHAT,
    "/endpoints/pilot/v1/chat/completions": CHAT,
    "/v1/chat/completions": CHAT,
    "/endpoints/pilot/completions": TEXT,
    "/endpoints/pilot/v1/completions": TEXT,
    "/endpoints/pilot/v1/fim/completions": {"prompt": "a", "suffix": "b"},
}
NAMES = sorted({*EXTRA, *TEXT_EXTRA, *OPEN.fields, "nonsense"})
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 0.5, 1e308, 10**30, "", "0.3", "true", "auto", "é\ud800"),
    *([], {}, [None], [[]], [""], ["a"] * 20, {"type": "text"}, {"type": {"type": "json_object"}}),
    *({"5": 1}, {"a": {}}, [1, -1], {"include_usage": True}, "any", "</s>[TOOL_CALLS]", 10**9),
)


async def test_no_mutation_is_our_fault():
    """Each gets an answer below 500, in JSON, and leaves nothing behind."""
    rng = random.Random(7)
    echo = EchoReplica(context_length=200)
    await echo.start()

    async def script(request: Generation) -> AsyncGenerator[Event, None]:
        async with aclosing(echo.generate(request)) as events:
            async for event in events:
                yield event

    replica = ScriptedReplica(script)
    caller = Caller(gateway_of(served(FixedPool([replica]))))
    seen: Counter[int] = Counter()
    for path, body, headers in mutations(rng):
        response = await caller.call(path, body, headers=headers)
        seen[response.status] += 1
        assert response.status < 500, (response.status, path, body, response.body)
        assert response.status == 200 or response.json, (path, body)
    assert 0 == replica.open == echo.busy
    assert REQUESTS == seen.total()
    assert seen[200] > REQUESTS / 20  # or nothing but refusals was tried


def mutations(rng: random.Random) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    for _ in range(REQUESTS):
        path, body = rng.choice(list(PATHS.items()))
        mutated = json.loads(json.dumps(body))
        changed = mutated
        if body is CHAT and rng.random() < 0.2:  # so deep that chance alone seldom leads there
            changed = mutated["tools"][0]["function"]["parameters"]
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            mutate(changed, rng)
        raw = json.dumps(mutated).encode()
        if rng.random() < 0.05:
            raw = spoil(raw, rng)
        policy = rng.choice(("", "", "pass-through", "drop", "error", "PASS"))
        yield path, raw, {"extra-parameters": policy} if policy else {}


def mutate(value: Any, rng: random.Random) -> None:
    """Change one place, at the root or somewhere inside."""
    if rng.random() < 0.3 and isinstance(value, dict):
        value[rng.choice(NAMES)] = deepcopy(rng.choice(VALUES))
        return
    inner = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not inner:
        return
    key = rng.choice(inner)
    if isinstance(value[key], dict | list) and rng.random() < 0.7:
        mutate(value[key], rng)
    elif rng.random() < 0.2:
        del value[key]
    else:
        value[key] = deepcopy(rng.choice(VALUES))


def spoil(raw: bytes, rng: random.Random) -> bytes:
    """Not JSON any more, as a rule."""
    at = rng.randrange(len(raw))
    return rng.choice((raw[:at], raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :], b""))
