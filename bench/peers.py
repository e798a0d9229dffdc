"""Other gateways beside ours, on one core: `make bench PEERS=1`, or `python -m bench.peers` alone.

Each stands before the same mock engine and gives the same words in as many events: ours through
llama.cpp's way of speaking and a Unix socket, as always; the others through OpenAI's and TCP, which
is what they can do. All of them are pinned to one core, and all but the one being asked are
stopped; the load generator and the mock have the other core. They are asked in turn, round by
round, and a ratio is the median of the rounds' ratios. How each is set up stands in
`bench.contenders`; what they answer is checked before anything is measured, and counted while it
is. What is not there is named and left out.
"""

import argparse
import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from bench import bed
from bench.bed import FULL, QUICK, REQUEST, Options
from bench.contenders import ALL, OURS, Absent, Setup, free_port
from bench.load import Figures, Target, measure, post
from bench.mock_engine import MODEL, WORD
from cupola import __version__

TOKENS: Final = 32
"""Of each reply, whole or streamed."""
CLIENTS: Final = (1, 16, 64)
WANTED: Final = {"LiteLLM": 100.0, "Portkey": 5.0, "sglang-router": 1.0}
"""How many times its requests a second ours should do."""
_START: Final = 120.0
"""Seconds that a gateway may take until its first right reply."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Gateway:
    """One at work."""

    name: str
    setup: Setup
    process: subprocess.Popen[bytes]
    port: int = 0
    events: int = 0
    """Of each stream, as the first one had them."""

    def target(self, *, stream: bool) -> Target:
        """The request."""
        return Target(("127.0.0.1", self.port), self._post(stream=stream))

    def _post(self, *, stream: bool) -> bytes:
        body = {"model": MODEL, **REQUEST, "stream": stream}
        return post(self.setup.path, json.dumps(body).encode(), *self.setup.headers)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def rest(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def cpu(self) -> float:
        """Seconds of processor time so far, all its threads together; 0 where nobody can say."""
        if not Path("/proc").is_dir():
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def check(self) -> None:
        """Ask once each way. Raises `AssertionError` or `OSError` if the reply is not right."""
        whole = json.loads(self._ask(stream=False))
        assert whole["choices"][0]["message"]["content"].strip() == (WORD * TOKENS).strip(), whole
        streamed = self._ask(stream=True)
        events = [line[6:] for line in streamed.splitlines() if line.startswith(b"data: ")]
        assert events[-1] == b"[DONE]", streamed[-200:]
        parts = [choice for each in events[:-1] for choice in json.loads(each)["choices"]]
        text = "".join(part["delta"].get("content") or "" for part in parts)
        assert text.strip() == (WORD * TOKENS).strip(), text
        assert len(events) > TOKENS, len(events)
        self.events = len(events)

    def _ask(self, *, stream: bool) -> bytes:
        head, _, body = self._post(stream=stream).partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[2:]]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", self.setup.path, body, dict(lines))
            reply = connection.getresponse()
            content = reply.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        assert reply.status == 200, f"{reply.status} {content[:300]!r}"
        return content


@contextmanager
def _running(name: str, engine: int, folder: Path) -> Iterator[Gateway]:
    """A gateway that has answered rightly, stopped until it is woken. Raises: `Absent`."""
    port = free_port()
    setup = ALL[name](port, engine, folder)
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        piped = None if setup.prints_port else file
        process = bed.start(1, setup.command, environment=setup.environment, log=piped)
    gateway = Gateway(name, setup, process, port)
    try:
        if setup.prints_port:
            gateway.port = bed.read_port(process)
        _await(gateway, log)
        gateway.rest()
        yield gateway
    finally:
        gateway.wake()
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _await(gateway: Gateway, log: Path) -> None:
    ends = time.monotonic() + _START
    while True:
        try:
            gateway.check()
        except (AssertionError, OSError, ValueError, KeyError, IndexError) as error:
            if gateway.process.poll() is not None:
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise Absent(f"it ended at its start: {last[:300]}") from error
            if time.monotonic() > ends:
                raise Absent(f"it gave no right reply: {error!r}") from error
            time.sleep(0.5)
        else:
            return


async def measure_peers(options: Options) -> dict[str, Any]:
    """Replies a second and latency of each, ratios, and what could not be measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(bed.pinned(0))
        mock = stack.enter_context(
            bed.child(0, "bench.mock_engine", str(folder / "e.sock"), str(TOKENS))
        )
        engine = bed.read_port(mock)
        gateways: list[Gateway] = []
        absent: dict[str, str] = {}
        for name in ALL:
            try:
                gateways.append(stack.enter_context(_running(name, engine, folder)))
            except Absent as reason:
                absent[name] = str(reason)
                print(f"{name} is left out: {reason}", file=sys.stderr)
        results: dict[str, Any] = {"left out": absent, "versions": _versions()}
        for what, stream in (("whole", False), ("streamed", True)):
            for gateway in gateways:  # compilers that work as they go need a while
                await _turn(gateway, 4, stream=stream, seconds=options.seconds)
            for clients in CLIENTS:
                rounds = [
                    [
                        await _turn(each, clients, stream=stream, seconds=options.seconds)
                        for each in gateways
                    ]
                    for _ in range(options.rounds)
                ]
                names = [each.name for each in gateways]
                results[f"{what} c{clients}"] = _summarise(names, rounds)
        return results


@dataclass(frozen=True, slots=True)
class _Turn:
    """One gateway's in one round."""

    figures: Figures
    cpu: float
    wrong: int


async def _turn(gateway: Gateway, clients: int, *, stream: bool, seconds: float) -> _Turn:
    target = gateway.target(stream=stream)
    gateway.wake()
    try:
        await asyncio.sleep(0.1)  # for what fell due while it was stopped
        before = gateway.cpu()
        figures = await measure(target, clients=clients, seconds=seconds)
        used = gateway.cpu() - before
    finally:
        gateway.rest()
    short = stream and figures.events != gateway.events * len(figures.latencies)
    return _Turn(figures, used, figures.errors + short)


def _summarise(names: Sequence[str], rounds: Sequence[Sequence[_Turn]]) -> dict[str, Any]:
    by_name = dict(zip(names, zip(*rounds, strict=True), strict=True))
    rates = {name: [turn.figures.per_second for turn in turns] for name, turns in by_name.items()}
    summary: dict[str, Any] = {name: _describe(turns) for name, turns in by_name.items()}
    summary["ratios"] = {
        f"{ours} / {peer}": round(
            median(a / b for a, b in zip(rates[ours], rates[peer], strict=True)), 2
        )
        for ours in OURS
        for peer in WANTED
        if ours in rates and peer in rates
    }
    return summary


def _describe(turns: Sequence[_Turn]) -> dict[str, Any]:
    rates = [turn.figures.per_second for turn in turns]
    return {
        "replies/s": _round(median(rates)),
        "lowest and highest round": [_round(min(rates)), _round(max(rates))],
        "p50 ms": round(median(turn.figures.p50_ms() for turn in turns), 3),
        "p99 ms": round(median(turn.figures.p99_ms() for turn in turns), 3),
        "processor us/reply": round(
            median(turn.cpu / len(turn.figures.latencies) * 1e6 for turn in turns)
        ),
        "errors": sum(turn.wrong for turn in turns),
    }


def _round(rate: float) -> float:
    return round(rate) if rate >= 1000 else round(rate, 1)


def _versions() -> dict[str, str]:
    """What was measured, as the locks have it."""
    found = {"Cupola": __version__}
    for name, package in (("LiteLLM", "litellm"), ("sglang-router", "sglang-router")):
        lock = Path(f"requirements/peers-{package}.txt").read_text().splitlines()
        line = next(line for line in lock if line.startswith(f"{package}=="))
        found[name] = line.split("==")[1].split()[0]
    lock_js = json.loads(Path("bench/portkey/package-lock.json").read_text())
    found["Portkey"] = lock_js["packages"]["node_modules/@portkey-ai/gateway"]["version"]
    return found


def report(results: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    names = [name for name in ALL if name not in results["left out"]]
    lines = [f"Versions: {results['versions']}"]
    lines += [f"{name} is left out: {reason}." for name, reason in results["left out"].items()]
    lines += ["", "| replies/s (p50 ms) | " + " | ".join(names) + " |"]
    lines.append("| --- |" + " ---: |" * len(names))
    rows = {key: value for key, value in results.items() if "ratios" in value}
    for what, row in rows.items():
        cells = [f"{row[name]['replies/s']} ({row[name]['p50 ms']})" for name in names]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    lines += ["", "| processor us/reply | " + " | ".join(names) + " |"]
    lines.append("| --- |" + " ---: |" * len(names))
    for what, row in rows.items():
        cells = [str(row[name]["processor us/reply"]) for name in names]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    pairs = [pair for row in rows.values() for pair in row["ratios"]]
    lines += ["", "| ratio | wanted | " + " | ".join(rows) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(rows))
    for pair in dict.fromkeys(pairs):
        wanted = WANTED[pair.rpartition(" / ")[2]]
        cells = [str(row["ratios"][pair]) for row in rows.values()]
        lines.append(f"| {pair} | {wanted:g} | " + " | ".join(cells) + " |")
    wrong = {name: sum(row[name]["errors"] for row in rows.values()) for name in names}
    lines += [f"{name}: {count} wrong replies." for name, count in wrong.items() if count]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    results = uvloop.run(measure_peers(QUICK if quick else FULL))
    print(report(results))
    if not quick:
        bed.keep({"machine": bed.describe_machine(), "cupola": __version__, "peers": results})


if __name__ == "__main__":
    main()
