"""A server behind TLS, as its callers and its own commands reach it."""

import json
import ssl
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.http.certificates import make_certificate
from tests.patience import PATIENCE
from tests.running import Running, command, cupola, environment, run_json


def _ask(running: Running, context: ssl.SSLContext) -> str:
    request = urllib.request.Request(
        f"{running.target_uri}/chat/completions",
        json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}).encode(),
        {"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, context=context, timeout=PATIENCE) as response:
        return str(json.load(response)["object"])


def _state(home: Path) -> str:
    return str(run_json("endpoints", "list", home=home)[0]["state"])


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_local_authority(home: Path):
    """Whoever is told of the authority calls as ever; whoever is not, does not; commands do."""
    with cupola(home, "--tls", "local") as server:
        running = server.wait_ready()
        context = ssl.create_default_context(cafile=home / "tls" / "authority.pem")

        assert running.url.startswith("https://")
        assert "chat.completion" == _ask(running, context)
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            _ask(running, ssl.create_default_context())
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError, match=r"(?i)ssl|tls"):
            _ask(running, context)
        assert "ready" == _state(home)
        chat = subprocess.run(
            command("chat", home), input="Hello\n", capture_output=True, text=True,
            env=environment(), timeout=PATIENCE,
        )  # fmt: skip
        assert (0, "") == (chat.returncode, chat.stderr)


def test_own_certificate(home: Path, tmp_path: Path):
    """An operator's certificate is shown as it is, and commands need not believe its authority."""
    (tmp_path / "own").mkdir()
    _, certificate = make_certificate(tmp_path / "own", "DNS:cupola.test,IP:127.0.0.1")
    settings = {
        "CUPOLA_TLS": "own",
        "CUPOLA_TLS_CERTIFICATE": str(certificate),
        "CUPOLA_TLS_KEY": str(tmp_path / "own" / "key.pem"),
    }
    with cupola(home, settings=settings) as server:
        running = server.wait_ready()

        assert "chat.completion" == _ask(running, ssl.create_default_context(cafile=certificate))
        assert "ready" == _state(home)


def test_certificate_that_cannot_be_used(home: Path, tmp_path: Path):
    """The start says which settings to look at."""
    (tmp_path / "none.pem").write_text("nothing")
    settings = {
        "CUPOLA_TLS": "own",
        "CUPOLA_TLS_CERTIFICATE": str(tmp_path / "none.pem"),
        "CUPOLA_TLS_KEY": str(tmp_path / "none.pem"),
    }
    done = subprocess.run(
        [*command("up", home), "--port", "0"], capture_output=True, text=True,
        env=environment() | settings, timeout=PATIENCE,
    )  # fmt: skip

    assert 1 == done.returncode
    assert "CUPOLA_TLS_CERTIFICATE" in done.stderr
