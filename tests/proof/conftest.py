"""The models of the proof, written by the transformers library in an environment of its own."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.missing import give_up
from tests.proof.references import Reference, read_reference

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-proof"
UNOBTAINABLE = "CUPOLA_NO_PROOF" in os.environ  # noqa: TID251  about the tests' machine
ARCHITECTURES = ("mistral", "mixtral", "llama3")


@pytest.fixture(scope="session")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, and of what they say."""
    if not (ENVIRONMENT / "proof.stamp").exists():
        if UNOBTAINABLE:
            pytest.skip("the index has no build of PyTorch for this machine (.ci/run)")
        give_up("the proof's environment is missing: make .venv-proof/proof.stamp")
    folder = tmp_path_factory.mktemp("proof")
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "proof.reference", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert 0 == done.returncode, done.stderr
    return folder


@pytest.fixture(scope="session", params=ARCHITECTURES)
def reference(request: pytest.FixtureRequest, references: Path) -> Reference:
    """Each architecture in turn."""
    return read_reference(references, request.param)
