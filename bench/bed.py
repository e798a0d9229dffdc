"""What benchmarks stand on: the machine and its cores, what runs there, and the figures kept."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from bench.load import post

WEIGHTS: Final = Path("src/cupola/catalog/weights/Cupola-Pilot.gguf")
RESULTS: Final = Path("bench/results")
KEY: Final = "k" * 32
REQUEST: Final[dict[str, Any]] = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "How many languages are in the world?"},
    ]
}


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how often; `--quick` is for trying the benchmark itself out."""

    seconds: float
    rounds: int


QUICK: Final = Options(seconds=1.0, rounds=1)
FULL: Final = Options(seconds=3.0, rounds=4)


def describe_machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process on one core, and what it starts meanwhile, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(
    core: int,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    log: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """A process that has one core from its first instruction on: many count cores only once."""
    with pinned(core):
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE if log is None else log,
            stderr=log,
            env={**os.environ, **(environment or {})},
        )


def start_module(core: int, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A module of ours."""
    return start(core, [sys.executable, "-m", module, *arguments])


@contextmanager
def child(core: int, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A module of ours on one core, ended with the block."""
    process = start_module(core, module, *arguments)
    try:
        time.sleep(1)
        yield process
    finally:
        process.terminate()
        process.wait()


def read_port(process: subprocess.Popen[bytes]) -> int:
    """What a module of ours prints when it listens."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def to_cupola(body: Mapping[str, Any], path: str = "/endpoints/bench", key: str = KEY) -> bytes:
    """A request for a chat."""
    return post(
        f"{path}/chat/completions", json.dumps(body).encode(), f"Authorization: Bearer {key}"
    )


def keep(results: Mapping[str, Any]) -> None:
    """Write the figures where later runs can be held against them, beside others of the day."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{results['machine']['date']}.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if kept.get("machine") != results["machine"]:
        kept = {}
    file.write_text(json.dumps({**kept, **results}, indent=1) + "\n", encoding="utf-8")
    print(f"\nKept in {file}.")
