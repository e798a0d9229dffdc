"""What a whole reply costs, in calls, which every machine counts alike.

Times are for `make bench`. But a stage that does twice what it did is found here, before anybody
measures: each limit is a twentieth above what it takes now, and moves down with it.
"""

import sys
from types import FrameType
from typing import Any

import pytest

from cupola.kit.clock import SystemClock
from tests.gateway.fakes import (
    HELLO,
    Caller,
    FixedPool,
    ScriptedReplica,
    gateway_of,
    saying,
    served,
)

REQUEST = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "How many languages are in the world?"},
    ]
}


async def count_calls(stream: bool) -> int:
    """Calls of functions, Python's and C's, from the request's bytes to the reply's."""
    pool = FixedPool([ScriptedReplica(saying(*HELLO))])
    caller = Caller(gateway_of(served(pool), clock=SystemClock()))
    counted = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    async def ask() -> None:
        body = {**REQUEST, "stream": stream}
        response = await caller.call("/endpoints/pilot/chat/completions", body)
        assert 200 == response.status

    await ask()  # compiles the template
    sys.setprofile(note)
    try:
        await ask()
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize(("stream", "limit"), [(False, 440), (True, 440)])
async def test_a_reply_takes_no_more_calls_than_it_did(stream: bool, limit: int):
    assert await count_calls(stream) < limit
