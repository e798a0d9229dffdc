"""Run a client's script, in the environment that has the client."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.missing import give_up
from tests.clients import samples
from tests.clients.matrix import ROOT, Client
from tests.running import Running

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".venv/clients"
LIMIT = 300
"""Seconds for all that one client does; seconds are enough unless the machine is busy."""

Facts = dict[str, Any]
"""What a script reports of one feature."""


def python_of(environment: str) -> str:
    """The interpreter of a lock list's environment; `make clients` makes them."""
    if environment == "dev":
        return sys.executable
    if not (ENVIRONMENTS / f"{environment}.stamp").exists():
        give_up(f"there is no environment {environment}: `make clients` could not make it")
    return str(ENVIRONMENTS / environment / "bin/python")


def run_client(client: Client, running: Running, *features: str) -> dict[str, Facts]:
    """What the client's script reports of `features`."""
    if client.package == "curl" and not shutil.which("curl"):
        give_up("curl is not installed")
    done = subprocess.run(
        [*_command(client), client.kind, *features],
        env=environment_of(running),
        cwd=HERE / "scripts",
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert 0 == done.returncode, done.stderr
    reported: dict[str, Facts] = json.loads(done.stdout.splitlines()[-1])
    return reported


def _command(client: Client) -> list[str]:
    if client.environment == "node":
        return [str(shutil.which("node")), str(HERE / "js" / client.script)]
    return [python_of(client.environment), str(HERE / "scripts" / client.script)]


def environment_of(running: Running) -> dict[str, str]:
    """Little of the tests' own: a proxy, or a key for someone else, would mislead a client."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TARGET_URI": running.target_uri,
        "ENDPOINT_KEY": running.key,
        "SAMPLES": json.dumps(_samples_for_scripts()),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the Internet for prices
    }


def _samples_for_scripts() -> Facts:
    """For those that are not in Python."""
    return {
        "CHAT": samples.CHAT,
        "TRAVEL": samples.TRAVEL,
        "IN_JSON": samples.IN_JSON,
        "LANGUAGES": samples.LANGUAGES,
        "SHORT_FLIGHT_TOOL": samples.SHORT_FLIGHT_TOOL,
        "ANSWER_SCHEMA": samples.ANSWER_SCHEMA,
    }
