"""`cupola up` as a person runs it: a process, its output, its end."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import supply_model
from tests.patience import PATIENCE, wait_until
from tests.robustness.long_replies import long_reply
from tests.running import Cupola, Running, command, cupola, environment, find_processes, run_json


def ask(server: Running, prompt: str = "Hello") -> subprocess.CompletedProcess[str]:
    """What a person gets who copies the curl line."""
    return subprocess.run(
        [
            *("curl", "--silent", "--max-time", "120", f"{server.target_uri}/chat/completions"),
            *("-H", f"Authorization: Bearer {server.key}", "-H", "Content-Type: application/json"),
            *("-d", json.dumps({"messages": [{"role": "user", "content": prompt}]})),
        ],
        capture_output=True,
        text=True,
        check=True,
    )


def wait_until_gone(started: Cupola) -> list[str]:
    """Processes of the server's session that are left however long one waits."""
    wait_until(lambda: not find_processes(started.process.pid))
    return find_processes(started.process.pid)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cupola]:
    """A server for the tests that only look."""
    home = tmp_path_factory.mktemp("up") / "home"
    supply_model(home)
    with cupola(home) as started:
        yield started


@pytest.fixture(scope="module")
def server(started: Cupola) -> Running:
    return started.wait_ready()


def test_ready_file_means_that_the_endpoint_answers(server: Running):
    """Whoever waits for the file can call at once."""
    assert '"object":"chat.completion"' in ask(server).stdout.replace(" ", "")


def test_output_can_be_copied(started: Cupola, server: Running):
    """Address, key, samples and the data's place are on the terminal, on lines of their own."""
    # The file comes first, the text a moment later.
    assert wait_until(lambda: f"Data        {server.home}\n" in started.output.read_text())
    lines = started.output.read_text().splitlines()

    assert f"Target URI  {server.target_uri}" in lines
    assert f"Key         {server.key}" in lines
    assert any(line.startswith(f"curl {server.target_uri}/chat/completions ") for line in lines)


def test_second_server_on_a_home_is_refused(server: Running):
    """Two servers never share a home; the message says who is there and what to do."""
    line = [*command("up", server.home), "--port", "0"]
    second = subprocess.run(line, capture_output=True, text=True, env=environment())

    assert 1 == second.returncode
    assert f"process {server.pid}, at {server.url}" in second.stderr
    assert "--home" in second.stderr


def test_taken_port_is_refused(home: Path, server: Running):
    """The message names the port and the option; no traceback."""
    line = [*command("up", home), "--port", str(server.port)]
    done = subprocess.run(line, capture_output=True, text=True, env=environment())

    assert 1 == done.returncode
    assert f"Port {server.port} on 127.0.0.1 is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_hold_no_key_and_no_prompt(server: Running):
    """What a caller says, and what opens the door, stays out of every log."""
    ask(server, "Xylophone42")
    ask(replace(server, key="WrongKey42"), "Hello")
    logs = [path.read_text(errors="replace") for path in (server.home / "logs").iterdir()]

    assert logs
    for secret in ("Xylophone42", "WrongKey42", server.key):
        assert not any(secret in log for log in logs)


def test_memory_is_bounded(server: Running):
    """The server process, without the engine's, takes less than 150 MB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])  # type: ignore[index]  # or fail

    assert resident < 150_000


def test_second_start_finds_its_state(home: Path):
    """The same endpoint, with the same keys."""
    with cupola(home) as started:
        started.wait_ready()
        first = run_json("endpoints", "show", "pilot", home=home)
    with cupola(home) as started:
        started.wait_ready()
        second = run_json("endpoints", "show", "pilot", home=home)

    assert second | {"target_uri": ""} == first | {"target_uri": ""}
    assert "ready" == second["state"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop_leaves_nothing(home: Path, number: signal.Signals):
    """Ctrl-C, a supervisor's stop and a closed terminal end everything, in good order."""
    with cupola(home) as started:
        started.wait_ready()
        status = started.stop(number)

        assert 0 == status
        assert [] == wait_until_gone(started)
        assert not started.ready_file.exists()
        assert started.output.read_text().endswith("Cupola has stopped.\n")
        assert "stopped" == run_json("endpoints", "list", home=home)[0]["state"]


def test_stop_ends_streams(home: Path, tmp_path: Path):
    """Replies that are being written do not keep the server: they end, and say so."""
    replies = [tmp_path / f"reply-{number}" for number in range(8)]
    with cupola(home) as started:
        server = started.wait_ready()
        body = long_reply(characters=1500, stream=True).decode()
        line = [
            *("curl", "--silent", "--no-buffer", f"{server.target_uri}/chat/completions"),
            *("-H", f"api-key: {server.key}", "-d", body),
        ]
        streams = [subprocess.Popen([*line, "--output", str(reply)]) for reply in replies]
        assert wait_until(lambda: any(reply.exists() for reply in replies))
        started.stop()

        assert [] == wait_until_gone(started)
    for stream in streams:
        stream.wait(PATIENCE)
    assert any('"finish_reason":"error"' in _read(reply) for reply in replies)


def _read(reply: Path) -> str:
    return reply.read_text() if reply.exists() else ""


def test_killed_server_leaves_no_process(home: Path):
    """Even kill -9 leaves no engine behind, and the next start works."""
    with cupola(home) as started:
        started.wait_ready()
        started.stop(signal.SIGKILL)

        assert [] == wait_until_gone(started)
    with cupola(home) as started:
        assert ask(started.wait_ready()).stdout
