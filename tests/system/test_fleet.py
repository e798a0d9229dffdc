"""`cupola up` killed and started again: what is wanted comes back, nothing outlives anything."""

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from cupola.app.state import State, open_state
from cupola.deployments.model import Interval, Spec
from cupola.ids import EndpointName, ModelName
from cupola.kit.clock import SystemClock
from cupola.settings import Settings
from tests.deployments.worlds import MODEL, managed, serverless
from tests.patience import PATIENCE, wait_until
from tests.robustness.processes import children_of, command_of, is_running
from tests.running import cupola, run_json

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="finds processes in /proc")

T = TypeVar("T")


def read(home: Path, ask: Callable[[State], Awaitable[T]]) -> T:
    """Something of the state of a home, whether a server runs on it or not."""

    async def open_and_ask() -> T:
        async with open_state(Settings(home=home), SystemClock()) as state:
            return await ask(state)

    return asyncio.run(open_and_ask())


def engines_of(pid: int) -> set[int]:
    return {each for each in children_of(pid) if "llamacpp" in command_of(each)}


@pytest.fixture
def home(home: Path) -> Path:
    """With the first endpoint, and a managed one with two instances."""

    async def add(state: State) -> None:
        await state.stores.endpoints.add(serverless())
        two = replace(managed(2, Spec(MODEL, slots=2)), name=EndpointName("managed"))
        await state.stores.endpoints.add(two)

    read(home, add)
    return home


def test_killed_server_comes_back_as_it_was(home: Path):
    """kill -9 at full work: no orphan; after a start the same engines, and a bill without gaps."""
    with cupola(home) as first:
        first.wait_ready()
        assert wait_until(lambda: len(engines_of(first.process.pid)) == 3)
        family = children_of(first.process.pid)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(PATIENCE)
        assert wait_until(lambda: not any(map(is_running, family)))
    lost = read(home, _list_intervals)
    with cupola(home) as second:
        second.wait_ready()
        assert wait_until(lambda: len(engines_of(second.process.pid)) == 3)
        family = children_of(second.process.pid)
        running = read(home, _list_intervals)
        assert 0 == second.stop(signal.SIGTERM)
    assert not any(map(is_running, family))

    assert [None, None] == [each.ended for each in lost]
    assert 2 == sum(each.ended is None for each in running)
    assert all(each.ended is not None for each in read(home, _list_intervals))
    assert {"managed"} == {each.endpoint for each in running}


async def _list_intervals(state: State) -> list[Interval]:
    return list(await state.stores.intervals.list())


def test_a_model_that_is_not_here_keeps_nobody_from_starting(home: Path):
    """The others answer; whoever calls it is told that it is unavailable, and the log says why."""

    async def add(state: State) -> None:
        spec = Spec(ModelName("Mistral-Nemo"))
        await state.stores.endpoints.add(
            replace(serverless(spec=spec), name=EndpointName("absent"), created=2000)
        )

    read(home, add)
    with cupola(home) as started:
        server = started.wait_ready()
        shown = run_json("endpoints", "show", "absent", home=home)
        request = urllib.request.Request(
            f"{shown['target_uri']}/chat/completions",
            b'{"messages": [{"role": "user", "content": "Hello"}]}',
            {"Authorization": f"Bearer {shown['primary_key']}"},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=PATIENCE)
        told = refused.value.read().decode()

    assert server.target_uri
    assert 503 == refused.value.code
    assert "The model cannot be started" in told
