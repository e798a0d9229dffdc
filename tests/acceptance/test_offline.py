"""Without any network, from an empty home, Cupola starts with little work and chats."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.missing import give_up
from tests.patience import PATIENCE

INSIDE = Path(__file__).parent / "inside.py"


@pytest.fixture
def alone() -> list[str]:
    """The words that put a command into a network of its own: as an ordinary user, else as root."""
    if shutil.which("unshare"):
        for words in (["unshare", "-rn"], ["unshare", "-n"]):
            if not subprocess.run([*words, "true"], capture_output=True).returncode:
                return words
    return give_up("unshare may not make a network namespace here")


def _visit(alone: list[str], home: Path) -> dict[str, Any]:
    command = [*alone, sys.executable, str(INSIDE), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert 0 == done.returncode, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_first_start_needs_no_network(alone: list[str], tmp_path: Path) -> None:
    """From a home that does not exist yet; loopback is the only interface there is."""
    told = _visit(alone, tmp_path / "home")

    assert ["lo"] == told["interfaces"]
    assert told["answer"]["choices"][0]["message"]["role"] == "assistant"


def test_the_second_start_needs_none_either(alone: list[str], tmp_path: Path) -> None:
    """The state of the first is found again, its keys as well."""
    first, second = (_visit(alone, tmp_path / "home") for _ in range(2))

    assert first["key"] == second["key"]
    assert second["answer"]["choices"]
