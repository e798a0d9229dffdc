"""Weights by commands, on a home where no server runs, from a hub on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cupola.kit.errors import Unavailable
from tests.catalog.hub import Hub, Repository, running_hub
from tests.cli.test_commands import invoke
from tests.models import build_tiny_model

MODEL = "Llama-3.2-1B-Instruct"
REPOSITORY = "bartowski/Llama-3.2-1B-Instruct-GGUF"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """It has, under the name that an entry gives, a much smaller model."""
    data = build_tiny_model(tmp_path / "tiny.gguf").read_bytes()
    names = [f"{MODEL}-{quantisation}.gguf" for quantisation in ("Q4_K_M", "Q8_0")]
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with running_hub() as hub:
        hub.repositories[REPOSITORY] = Repository(dict.fromkeys(names, data))
        monkeypatch.setenv("CUPOLA_HUB_ENDPOINT", hub.url)
        monkeypatch.setenv("CUPOLA_HOME", str(tmp_path / "home"))
        yield hub


def fetch(*words: str) -> dict[str, object]:
    result = invoke("models", "download", MODEL, *words, "--json")
    assert result.exception is None
    view: dict[str, object] = json.loads(result.output)
    return view


def test_weights_are_fetched_and_shown(hub: Hub):
    """Afterwards they are here, for `models show` and so for every deployment."""
    view = fetch()

    assert [MODEL, "Q4_K_M"] == [view["model"], view["quantisation"]]
    assert Path(str(view["path"])).stat().st_size == view["size"]
    shown = json.loads(invoke("models", "show", MODEL, "--json").output)
    assert view["path"] == shown["weights_path"]


def test_failure_is_told(hub: Hub):
    """As every failure of a command: one sentence with a mend."""
    del hub.repositories[REPOSITORY]

    result = invoke("models", "download", MODEL)

    assert isinstance(result.exception, Unavailable)
    assert "check the name, or give a token" in result.exception.public


def test_garbage_is_what_no_endpoint_has(hub: Hub):
    """A dry run only tells."""
    fetch("--quantisation", "Q8_0")

    told = json.loads(invoke("models", "gc", "--dry-run", "--json").output)
    assert 1 == len(told)
    assert "Q8_0" in told[0]["name"]
    assert told == json.loads(invoke("models", "gc", "--json").output)
    assert "0.0 GiB are free again" in invoke("models", "gc").output
    shown = json.loads(invoke("models", "show", MODEL, "--json").output)
    assert shown["weights_path"] is None
