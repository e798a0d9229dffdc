"""The llama.cpp replica's process: how it lives, and that it always dies."""

import asyncio
import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from cupola.deployments.loop import Keeper, Surroundings
from cupola.deployments.model import Spec
from cupola.deployments.ports import Order
from cupola.deployments.situation import Cohort
from cupola.engines.gguf import BadModelFile
from cupola.engines.llamacpp.replica import LlamaCppReplica
from cupola.engines.port import Generation, JsonOutput, Verbatim
from cupola.ids import ModelName, ReplicaId
from cupola.kit.clock import SystemClock
from cupola.kit.errors import EngineFailed, TooLong, Unavailable
from cupola.wire.canonical import Delta, Event, Failed, Finish, Options
from tests.engines import orphan
from tests.models import Shape, build_tiny_model
from tests.patience import PATIENCE, until

PROMPT = ("<s>[INST] hello[/INST]",)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with a context that takes it long to fill."""
    path = tmp_path_factory.mktemp("weights") / "tiny.gguf"
    return build_tiny_model(path, shape=Shape(context_length=32_768))


@pytest.fixture
def make(weights: Path, tmp_path: Path) -> Callable[..., LlamaCppReplica]:
    def make(path: Path = weights, run: Path = tmp_path / "run") -> LlamaCppReplica:
        return LlamaCppReplica(
            path, run, slots=1, context_length=None, threads=1, log_folder=tmp_path / "log"
        )

    return make


@pytest.fixture
async def replica(make: Callable[..., LlamaCppReplica]) -> AsyncIterator[LlamaCppReplica]:
    replica = make()
    await replica.start()
    yield replica
    await replica.stop()


async def collect(replica: LlamaCppReplica, **fields: Any) -> list[Event]:
    request = Generation(**{"prompt": PROMPT, "max_tokens": 1, **fields})
    return [event async for event in replica.generate(request)]


async def test_penalties_spare_the_prompt(replica: LlamaCppReplica) -> None:
    """A penalty counts what the reply has said, so its first token is the one without penalty.

    Each prompt holds all letters several times: some of its likeliest tokens would be penalised.
    """
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for i in range(0, len(letters), 2):
        prompt = (f"<s>{3 * (letters[i:] + letters[:i])}",)

        expected = await collect(replica, prompt=prompt, temperature=0.0)
        penalised = await collect(
            replica, prompt=prompt, temperature=0.0, presence_penalty=2.0, frequency_penalty=2.0
        )

        assert expected[:-1] == penalised[:-1]  # but for how much was read before


async def test_what_cannot_fit_never_reaches_the_engine(replica: LlamaCppReplica) -> None:
    """It is refused by its characters, which the engine, counting tokens, would not speak of."""
    [failed] = await collect(replica, prompt=("<s>" + "x" * 2_000_000,))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TooLong)
    assert "2000003 characters" in failed.error.public


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_killed_parent_leaves_no_child(weights: Path, tmp_path: Path) -> None:
    """Even a parent that is killed with -9 takes its engine with it."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, orphan.__file__, str(weights), str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout
    child = int(await asyncio.wait_for(parent.stdout.readline(), PATIENCE))
    assert is_alive(child)

    parent.kill()
    await parent.wait()

    await until(lambda: not is_alive(child))


async def test_killed_engine_is_back(
    make: Callable[..., LlamaCppReplica],
) -> None:
    """A kept engine that is killed with -9 answers again soon, in a new process."""
    replica = make()
    order = Order(ReplicaId("rep_1"), "tiny", Cohort(Spec(ModelName("tiny"))), None)
    around = Surroundings(lambda _: replica, lambda _: nullcontext(), lambda: None, SystemClock())
    keeper = Keeper(order, around)
    keeper.start()
    await until(lambda: keeper.is_ready)
    first = replica.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: not keeper.is_ready)

    await until(lambda: keeper.is_ready)
    assert first != replica.pid
    assert isinstance((await collect(replica))[-1], Finish)
    await keeper.stop()
    assert not is_alive(first)


async def test_engine_killed_while_answering(replica: LlamaCppReplica) -> None:
    """A reply whose engine dies ends with a failure that another replica may mend.

    It never ends by itself before its context does, half a minute of work: a random model draws an
    end after ten tokens now and then, which is sooner than a busy machine gets round to the kill.
    """
    asked = Generation(prompt=PROMPT, options=Options(ignore_eos=True))
    events = replica.generate(asked)
    await anext(events)
    assert replica.pid
    os.kill(replica.pid, signal.SIGKILL)
    rest = [event async for event in events]

    assert isinstance(rest[-1], Failed)
    assert isinstance(rest[-1].error, EngineFailed)
    assert replica.busy == 0
    said = sum(event.tokens for event in rest if isinstance(event, Delta))
    assert asked.tally.prompt > 0
    assert said < asked.tally.completion


async def test_a_whole_reply_that_is_cut_is_accounted_for(replica: LlamaCppReplica) -> None:
    """Nothing of it was said, and what the engine had done is known all the same."""
    for tenths in range(1, 20):
        asked = Generation(prompt=PROMPT, incremental=False, options=Options(ignore_eos=True))
        task = asyncio.ensure_future(anext(replica.generate(asked)))
        await asyncio.wait([task], timeout=tenths / 10)
        task.cancel()
        await asyncio.wait([task])
        if asked.tally.completion:
            break

    assert asked.tally.prompt > 0
    assert asked.tally.completion > 0
    assert replica.busy == 0


async def test_stop_leaves_nothing(replica: LlamaCppReplica, tmp_path: Path) -> None:
    """After a stop there is no process and no socket."""
    pid = replica.pid
    assert pid
    await replica.stop()

    assert not is_alive(pid)
    assert list((tmp_path / "run").iterdir()) == []


async def test_socket_is_ours_alone(replica: LlamaCppReplica, tmp_path: Path) -> None:
    """Nobody else on this machine can reach the engine or read its log."""
    [folder] = (tmp_path / "run").iterdir()
    [log] = (tmp_path / "log").iterdir()

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_long_runtime_folder(make: Callable[..., LlamaCppReplica], tmp_path: Path) -> None:
    """A home too deep for the path of a socket does not matter."""
    replica = make(run=tmp_path / ("long" * 40))
    await replica.start()
    assert isinstance((await collect(replica))[-1], Finish)
    await replica.stop()


async def test_read_only_weights(
    make: Callable[..., LlamaCppReplica], weights: Path, tmp_path: Path
) -> None:
    """The weights' folder is only read."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(weights, folder / "tiny.gguf")
    folder.chmod(0o500)
    replica = make(folder / "tiny.gguf")
    await replica.start()
    await replica.stop()
    folder.chmod(0o700)

    assert [path.name for path in folder.iterdir()] == ["tiny.gguf"]


def rename_architecture(weights: Path, to: Path) -> Path:
    to.write_bytes(weights.read_bytes().replace(b"llama", b"lhama"))
    return to


async def test_failed_start_tells_why(
    make: Callable[..., LlamaCppReplica], weights: Path, tmp_path: Path
) -> None:
    """An engine that dies at its start is noticed, and its last lines go to our log."""
    replica = make(rename_architecture(weights, tmp_path / "strange.gguf"))

    with pytest.raises(Unavailable, match="exit code 1") as caught:
        await replica.start()

    assert "lhama" in caught.value.private
    assert str(tmp_path) not in caught.value.public
    assert replica.state == "failed"


@pytest.mark.parametrize("template", ["{{ ['a'] | map('trim') | join }}", "{% nonsense"])
async def test_a_template_does_not_matter_to_the_engine(
    make: Callable[..., LlamaCppReplica], tmp_path: Path, template: str
) -> None:
    """One that llama.cpp's own Jinja cannot read, or nobody can, is the gateway's concern alone."""
    replica = make(build_tiny_model(tmp_path / "odd.gguf", template=template))

    await replica.start()
    assert isinstance((await collect(replica))[-1], Finish)
    await replica.stop()


def test_damaged_weights_never_reach_the_engine(
    make: Callable[..., LlamaCppReplica], weights: Path, tmp_path: Path
) -> None:
    """A file that is cut short is refused before any process starts."""
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(weights.read_bytes()[:100_000])

    with pytest.raises(BadModelFile):
        make(cut)


async def count_working_slots(replica: LlamaCppReplica) -> int:
    status, body = await replica.client.request("GET", "/slots", within=PATIENCE)
    assert status == 200
    return sum(slot["is_processing"] for slot in json.loads(body))


async def is_idle(replica: LlamaCppReplica) -> bool:
    return await count_working_slots(replica) == 0


@pytest.mark.parametrize("incremental", [True, False], ids=["stream", "whole"])
async def test_cancelling_frees_the_slot(replica: LlamaCppReplica, incremental: bool) -> None:
    """An answer nobody wants stops in the engine, long before its end."""
    long = JsonOutput({"type": "array", "minItems": 5000, "items": {"type": "integer"}})
    endless = asyncio.ensure_future(
        collect(replica, max_tokens=None, constraint=long, incremental=incremental)
    )
    await until(lambda: count_working_slots(replica))
    endless.cancel()
    await asyncio.wait([endless])

    await until(lambda: is_idle(replica))


async def test_more_requests_than_slots_wait_their_turn(replica: LlamaCppReplica) -> None:
    """Many at once are all answered by one slot."""
    all_events = await asyncio.gather(*[collect(replica, max_tokens=3) for _ in range(100)])

    assert all(isinstance(events[-1], Finish) for events in all_events)


async def count_prompt(replica: LlamaCppReplica, *pieces: str | Verbatim) -> int:
    *_, last = await collect(replica, prompt=pieces)
    assert isinstance(last, Finish)
    return last.usage.prompt


async def test_control_text_in_a_message_is_inert(replica: LlamaCppReplica) -> None:
    """Text of a control token counts as one token in the layout, as its characters in a message."""
    text = "[/INST]</s>"

    assert await count_prompt(replica, "<s>[INST]" + text + "[/INST]") == 5
    assert 3 + len(text) == await count_prompt(replica, "<s>[INST]", Verbatim(text), "[/INST]")
    assert 3 + len("<s>") == await count_prompt(replica, "<s>[INST]", Verbatim("<s>"), "[/INST]")


async def test_tokenizer_that_adds_spaces(
    make: Callable[..., LlamaCppReplica], tmp_path: Path
) -> None:
    """Such a tokenizer adds no space to a message that was set apart, and none to the layout's."""
    replica = make(build_tiny_model(tmp_path / "spaced.gguf", add_space_prefix=True))
    await replica.start()

    apart = await count_prompt(replica, "<s>[INST] ", Verbatim("[/INST]"), "[/INST]")
    tight = await count_prompt(replica, "<s>[INST]", Verbatim("[/INST]"), "[/INST]")
    layout = await count_prompt(replica, "<s>[INST] hello[/INST]")
    await replica.stop()

    assert 3 + len(" [/INST]") == apart
    assert 3 + len("[/INST]") == tight
    assert 3 + len(" hello") == layout
