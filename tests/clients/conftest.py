"""Clients of the shared server, each built as its own manual says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.ai.inference import ChatCompletionsClient
from azure.core.credentials import AzureKeyCredential

from tests.npm import ensure_packages
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
    return ensure_packages(SCRIPTS)
