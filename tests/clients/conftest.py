"""Clients of the shared server, each built as its own manual says, and the matrix at the end."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.core.credentials import AzureKeyCredential

from tests.acceptance.missing import give_up
from tests.clients.table import write_table
from tests.running import Running

SCRIPTS = Path(__file__).parent / "js"


@pytest.fixture(scope="session")
def azure(running: Running) -> Iterator[ChatCompletionsClient]:
    """The client of the how-to pages; its user changed the URL and the key, nothing else."""
    with ChatCompletionsClient(
        endpoint=running.target_uri, credential=AzureKeyCredential(running.key)
    ) as client:
        yield client


@pytest.fixture(scope="session")
def welcome(running: Running) -> str:
    """What `cupola up` printed when it was ready."""
    return running.home.with_name(f"{running.home.name}.out").read_text()


@pytest.fixture(scope="session")
def node() -> str:
    """Node, with the packages of `package-lock.json` installed beside the scripts."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        give_up("node and npm are not installed")
    if not _installed():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, timeout=300)
        if done.returncode:
            give_up(f"npm ci failed: {done.stderr[-500:]}")
    return str(node)


def _installed() -> bool:
    """Whether `npm ci` has run since the lock changed (npm leaves a lock of its own behind)."""
    lock, mark = SCRIPTS / "package-lock.json", SCRIPTS / "node_modules" / ".package-lock.json"
    return mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The client matrix, as far as this run got to it."""
    write_table(terminalreporter)
