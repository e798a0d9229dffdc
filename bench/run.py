"""What Cupola adds to an engine, in one run: `make bench`.

1. *Whole replies and streams against a mock engine that costs nothing*: the gateway alone on one
   core; load generator and mock on the other. Latency is compared with the mock asked directly, in
   turn, round by round. Then the same with everything on: limits, metrics, and a ledger that is on
   the disk before a reply ends; and with that ledger left to the system's own time.
2. *Tokens a second of an engine* on a core of its own at 1, 8 and 32 concurrent streams, through
   Cupola and from the engine's own socket, in turn: the included model, of whose tokens one takes
   half a millisecond, and a random one ten times its size, still a hundredth of what people deploy.
3. *A thousand endpoints in a hundred projects*: how long a change takes to reach the gateway, and
   what its requests cost beside those of a gateway with one endpoint (`bench.scale`).
4. *The management API's lists* with 1,000 endpoints in 100 projects (`bench.control`).
5. With `PEERS=1` *other gateways* beside ours, on the same core in turn (`bench.peers`).

Prints a table and keeps the figures, with the machine named, in `bench/results/`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from bench import peers
from bench.bed import (
    FULL,
    KEY,
    QUICK,
    REQUEST,
    WEIGHTS,
    Options,
    child,
    describe_machine,
    keep,
    pinned,
    read_port,
    to_cupola,
)
from bench.control import ROUNDS, measure_control
from bench.load import Figures, Target, measure, post
from bench.scale import ENDPOINTS, measure_push
from cupola import __version__
from cupola.engines.gguf import read_header
from cupola.engines.llamacpp.completion import CompletionWriter, begin_prompt
from cupola.engines.llamacpp.vocabulary import read_vocabulary
from cupola.engines.port import Generation
from cupola.wire import canonical
from tests.models import Shape, build_tiny_model

_MODES = (
    ("gateway",),
    ("gateway, everything on", "metered"),
    ("gateway, everything on, ledger without sync", "unsynced"),
)
STREAMS = (1, 8, 32)
LARGER = Shape(width=512, layers=14, heads=8, vocabulary=4096)
"""About 40 million parameters, in 32 bits."""
TOKENS = 96
"""Of each streamed reply in the engine comparison: the model may not end before."""


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", action="store_true", help="other gateways too")
    given = parser.parse_args()
    quick = given.quick
    options = QUICK if quick else FULL
    results: dict[str, Any] = {"machine": describe_machine(), "cupola": __version__}
    for name, *mode in _MODES:
        results[name] = uvloop.run(measure_gateway(options, *mode))
    results["included model"] = uvloop.run(measure_engine(options, None))
    results["random model"] = uvloop.run(measure_engine(options, LARGER))
    results["a thousand endpoints"] = uvloop.run(measure_scale(options))
    results["management API"] = uvloop.run(measure_control(20 if quick else ROUNDS))
    if given.peers:
        results["peers"] = uvloop.run(peers.measure_peers(options))
    print(report(results))
    if not quick:
        keep(results)


async def measure_gateway(options: Options, *mode: str) -> dict[str, Any]:
    """Latency and throughput against the mock, in a mode of `bench.gateway`."""
    with tempfile.TemporaryDirectory() as folder, pinned(0):
        engine = f"{folder}/e.sock"
        with (
            child(0, "bench.mock_engine", engine),
            child(1, "bench.gateway", str(WEIGHTS), engine, KEY, "1", *mode) as gateway,
        ):
            address = ("127.0.0.1", read_port(gateway))
            return await _compare_with_mock(engine, address, options)


async def _compare_with_mock(
    engine: str, address: tuple[str, int], options: Options
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for name, streamed in (("whole", False), ("streamed", True)):
        direct = Target(engine, _to_engine({"prompt": [1, 3], "stream": True}))
        through = Target(address, to_cupola({**REQUEST, "stream": streamed}))
        await measure(through, clients=4, seconds=1)
        for clients in (1, 16, 64):
            pairs = [
                (
                    await measure(direct, clients=clients, seconds=options.seconds / 2),
                    await measure(through, clients=clients, seconds=options.seconds),
                )
                for _ in range(options.rounds)
            ]
            results[f"{name} c{clients}"] = _summarise(pairs)
    return results


def _summarise(pairs: list[tuple[Figures, Figures]]) -> dict[str, Any]:
    return {
        "mock replies/s": round(median(d.per_second for d, _ in pairs)),
        "cupola replies/s": round(median(t.per_second for _, t in pairs)),
        "cupola replies/s, lowest and highest round": [
            round(min(t.per_second for _, t in pairs)),
            round(max(t.per_second for _, t in pairs)),
        ],
        "cupola events/s": round(median(t.events_per_second for _, t in pairs)),
        "cupola p50 ms": round(median(t.p50_ms() for _, t in pairs), 3),
        "cupola p99 ms": round(median(t.p99_ms() for _, t in pairs), 3),
        "added p50 ms": round(median(t.p50_ms() - d.p50_ms() for d, t in pairs), 3),
        "errors": sum(t.errors for _, t in pairs),
    }


async def measure_scale(options: Options) -> dict[str, Any]:
    """A change's way to the gateway, and latency with a thousand endpoints over that with one."""
    figures = await measure_push(max(5, 5 * options.rounds))
    with tempfile.TemporaryDirectory() as folder, pinned(0):
        engine = f"{folder}/e.sock"
        arguments = ("bench.gateway", str(WEIGHTS), engine, KEY)
        with (
            child(0, "bench.mock_engine", engine),
            child(1, *arguments, "1") as one,
            child(1, *arguments, str(ENDPOINTS)) as many,
        ):
            targets = [_target(gateway) for gateway in (one, many)]
            return figures | await _compare_latency(targets, options)


def _target(gateway: subprocess.Popen[bytes]) -> Target:
    return Target(("127.0.0.1", read_port(gateway)), to_cupola(REQUEST))


async def _compare_latency(targets: list[Target], options: Options) -> dict[str, Any]:
    """In turn, in short rounds: two idle gateways share a core with whichever is asked."""
    for target in targets:
        await measure(target, clients=4, seconds=1)
    pairs = [
        [await measure(target, clients=1, seconds=options.seconds / 6) for target in targets]
        for _ in range(8 * options.rounds)
    ]
    return {
        "p50 ms with one": round(median(one.p50_ms() for one, _ in pairs), 3),
        "p50 ms with a thousand": round(median(many.p50_ms() for _, many in pairs), 3),
        "p50 a thousand / one": round(median(b.p50_ms() / a.p50_ms() for a, b in pairs), 3),
        "p99 a thousand / one": round(median(b.p99_ms() / a.p99_ms() for a, b in pairs), 3),
        "errors": sum(figures.errors for pair in pairs for figures in pair),
    }


async def measure_engine(options: Options, shape: Shape | None) -> dict[str, Any]:
    """Tokens a second, through Cupola over directly, of a random model or of the included one."""
    with tempfile.TemporaryDirectory() as folder:
        weights = WEIGHTS
        if shape is not None:  # a home's own weights go before the shipped ones
            weights = Path(folder) / "home" / "models" / WEIGHTS.name
            weights.parent.mkdir(parents=True)
            build_tiny_model(weights, shape=shape)
        return await _measure_engine(options, folder, weights)


async def _measure_engine(options: Options, folder: str, weights: Path) -> dict[str, Any]:
    with pinned(0), _server(folder) as (uri, key, engine):
        host, _, path = uri.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        asked = {"stream": True, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True}
        through = Target((name, int(port)), to_cupola({**REQUEST, **asked}, f"/{path}/v1", key))
        direct = Target(engine, post("/completion", _engine_body(weights)))
        return {
            f"{clients} streams": await _compare_engines(direct, through, clients, options)
            for clients in STREAMS
        }


async def _compare_engines(
    direct: Target, through: Target, clients: int, options: Options
) -> dict[str, Any]:
    ratios, rates = [], []
    for turn in range(2 * options.rounds):
        order = (direct, through) if turn % 2 else (through, direct)
        rate = {}
        for target in order:
            got = await measure(target, clients=clients, seconds=options.seconds, warm_up=1.5)
            rate[target.address] = got.in_window / options.seconds
        # Each token is an event on either side.
        ratios.append(rate[through.address] / rate[direct.address])
        rates.append(rate[direct.address])
    return {
        "engine's own events/s": round(median(rates)),
        "cupola / engine": round(median(ratios), 3),
        "lowest and highest pair": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def _engine_body(weights: Path) -> bytes:
    """What Cupola asks the engine for, to the byte, so that only the way there differs."""
    header = read_header(weights)
    vocabulary = read_vocabulary(header)
    system, user = (m["content"] for m in REQUEST["messages"])
    request = Generation(
        prompt=(f"<s>[INST] {system}\n\n{user}[/INST]",),
        max_tokens=TOKENS,
        temperature=0.0,
        options=canonical.Options(ignore_eos=True),
    )
    prompt = [x for x in begin_prompt(request.prompt, vocabulary) if isinstance(x, str | int)]
    return CompletionWriter(vocabulary, header.context_length).write(request, prompt)


def _to_engine(body: dict[str, Any]) -> bytes:
    return post("/completion", json.dumps(body, separators=(",", ":")).encode())


@contextmanager
def _server(folder: str) -> Iterator[tuple[str, str, str]]:
    """A whole Cupola: target URI, key and the path of its engine's socket."""
    ready = Path(folder) / "ready"
    home = ["--home", f"{folder}/home"]
    command = [sys.executable, "-m", "cupola"]
    server = subprocess.Popen(
        [*command, "up", "--port", "0", *home, "--ready-file", str(ready)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "CUPOLA_ENGINE_SLOTS": "32", "CUPOLA_LIMITS": "shadow"},
    )
    try:
        while not ready.exists():
            if server.poll() is not None:
                sys.exit("The server did not start; try `cupola doctor`.")
            time.sleep(0.05)
        shown = subprocess.check_output([*command, "endpoints", "show", "pilot", "--json", *home])
        endpoint = json.loads(shown)
        socket = next(Path(folder).rglob("*.sock"))
        _pin_engine(server.pid)
        yield endpoint["target_uri"], endpoint["primary_key"], str(socket)
    finally:
        server.terminate()
        server.wait()


def _pin_engine(parent: int) -> None:
    """The engine on a core of its own, so that what is compared is not who takes it away."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return
    started = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for process in started:
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {1})


def report(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [f"Machine: {results['machine']}"]
    for mode, *_ in _MODES:
        lines += ["", f"| {mode} | " + " | ".join(_GATEWAY) + " |"]
        lines.append("| --- |" + " ---: |" * len(_GATEWAY))
        for name, row in results[mode].items():
            lines.append(f"| {name} | " + " | ".join(str(row[key]) for key in _GATEWAY) + " |")
    for model in ("included model", "random model"):
        lines += ["", f"| {model} | engine's own events/s | cupola / engine | pairs |"]
        lines.append("| --- | ---: | ---: | --- |")
        for name, row in results[model].items():
            lines.append(f"| {name} | " + " | ".join(str(value) for value in row.values()) + " |")
    lines += ["", "| a thousand endpoints | |", "| --- | ---: |"]
    lines += [f"| {name} | {value} |" for name, value in results["a thousand endpoints"].items()]
    lines += ["", "| management API | |", "| --- | ---: |"]
    lines += [f"| {name} | {value} |" for name, value in results["management API"].items()]
    if "peers" in results:
        lines += ["", peers.report(results["peers"])]
    return "\n".join(lines)


_GATEWAY = ("mock replies/s", "cupola replies/s", "cupola p50 ms", "cupola p99 ms", "added p50 ms")


if __name__ == "__main__":
    main()
