"""How each gateway that `bench.peers` measures is started, and asked.

Ours has everything on: a key, limits, a price, metrics, and a record in a ledger that is on the
disk before the reply ends; a second one leaves the ledger to the system's own time. The others are
set up as their users would for speed: LiteLLM with one worker, a master key and nothing else (no
database, no callbacks, no retries); Portkey without its console, told by headers where to go;
sglang-router with one worker and without health checks, retries and circuit breaker, and it knows
no keys.
"""

import json
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.bed import KEY, WEIGHTS
from bench.mock_engine import MODEL

OURS: Final = ("Cupola", "Cupola, ledger without sync")
_ENVIRONMENTS: Final = Path(".venv/peers")
_PORTKEY: Final = Path("bench/portkey/node_modules/@portkey-ai/gateway")
_MASTER: Final = "sk-bench"


class Absent(Exception):
    """A gateway that cannot be measured here, and why."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How one is started, and asked."""

    command: Sequence[str]
    path: str = "/v1/chat/completions"
    headers: tuple[str, ...] = (f"Authorization: Bearer {_MASTER}",)
    environment: Mapping[str, str] = field(default_factory=dict)
    prints_port: bool = False


def _cupola(mode: str) -> Callable[[int, int, Path], Setup]:
    def setup(port: int, engine: int, folder: Path) -> Setup:
        module = ("-m", "bench.gateway", str(WEIGHTS), str(folder / "e.sock"), KEY, "1", mode)
        return Setup(
            (sys.executable, *module),
            path="/endpoints/bench/chat/completions",
            headers=(f"Authorization: Bearer {KEY}",),
            prints_port=True,
        )

    return setup


def _litellm(port: int, engine: int, folder: Path) -> Setup:
    program = _find(_ENVIRONMENTS / "litellm/bin/litellm")
    model = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{engine}/v1",
        "api_key": "sk-engine",
    }
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": model}],
        "general_settings": {"master_key": _MASTER},
        "litellm_settings": {"set_verbose": False, "callbacks": [], "num_retries": 0},
    }
    file = folder / "litellm.yaml"  # JSON is YAML
    file.write_text(json.dumps(config))
    where = ("--host", "127.0.0.1", "--port", str(port))
    return Setup(
        (program, "--config", str(file), *where, "--num_workers", "1"),
        environment={
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no look at the network at the start
        },
    )


def _portkey(port: int, engine: int, folder: Path) -> Setup:
    node = shutil.which("node")
    if node is None:
        raise Absent("node is not installed")
    script = _find(_PORTKEY / "build/start-server.js")
    return Setup(
        (node, script, f"--port={port}", "--headless"),
        headers=(
            "Authorization: Bearer sk-engine",
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{engine}/v1",
        ),
        environment={"NODE_ENV": "production"},
    )


def _sglang_router(port: int, engine: int, folder: Path) -> Setup:
    program = _find(_ENVIRONMENTS / "sglang-router/bin/python")
    return Setup(
        (
            *(program, "-m", "sglang_router.launch_router"),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--worker-urls", f"http://127.0.0.1:{engine}", "--policy", "round_robin"),
            *("--disable-health-check", "--disable-retries", "--disable-circuit-breaker"),
            *("--prometheus-port", str(free_port()), "--log-level", "error"),
        ),
        headers=(),
    )


ALL: Final = {
    OURS[0]: _cupola("metered"),
    OURS[1]: _cupola("unsynced"),
    "LiteLLM": _litellm,
    "Portkey": _portkey,
    "sglang-router": _sglang_router,
}


def _find(program: Path) -> str:
    if not program.exists():
        raise Absent(f"{program} is not there: `make bench PEERS=1` could not set it up")
    return str(program.absolute())


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
