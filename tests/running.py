"""A real Cupola in a process of its own, as tests start, ask and end it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupola.cli.remote import connect
from tests.patience import PATIENCE, wait_until


@dataclass(frozen=True)
class Running:
    """A server that answers, and the key of its first endpoint."""

    url: str
    target_uri: str
    key: str
    home: Path
    pid: int
    port: int


class Cupola:
    """The process of one `cupola up` on a free port; `settings` are environment variables."""

    def __init__(
        self, home: Path, *options: str, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.ready_file = home.with_name(f"{home.name}.ready")
        self.ready_file.unlink(missing_ok=True)
        self.output = home.with_name(f"{home.name}.out")
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [
                    *command("up", home),
                    *("--port", "0", "--ready-file", str(self.ready_file)),
                    *options,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment() | dict(settings or {}),
                start_new_session=True,
            )

    def wait_ready(self) -> Running:
        """Once the ready file is there; fails with what the process printed."""
        self.wait_listening()
        return self._describe()

    def wait_listening(self) -> str:
        """The same, for who needs no more than the server's URL."""
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None)
        if not self.ready_file.exists():
            raise AssertionError(f"cupola up is not ready:\n{self.output.read_text()}")
        url: str = json.loads(self.ready_file.read_text())["url"]
        return url

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def _describe(self) -> Running:
        server = json.loads(self.ready_file.read_text())
        with connect(None, self.home, None) as client:
            endpoint, keys = client.endpoints.get("pilot"), client.endpoints.get_keys("pilot")
        assert keys.primary_key
        return Running(
            url=server["url"],
            target_uri=endpoint.target_uri,
            key=keys.primary_key,
            home=self.home,
            pid=server["pid"],
            port=int(server["url"].rpartition(":")[2]),
        )


@contextmanager
def cupola(
    home: Path, *options: str, settings: Mapping[str, str] | None = None
) -> Iterator[Cupola]:
    """`cupola up` while the block runs; ended by force if it has not ended by itself."""
    started = Cupola(home, *options, settings=settings)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.terminate()
            try:
                started.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                started.process.kill()
                raise


def command(name: str, home: Path) -> list[str]:
    return [sys.executable, "-m", "cupola", *name.split(), "--home", str(home)]


def environment() -> dict[str, str]:
    """That of the tests, without settings a developer may have made for a Cupola of their own; no
    test asks a hub that is not its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CUPOLA_")}  # noqa: TID251  for a child
    return kept | {"CUPOLA_OFFLINE": "true"}


def run_json(*words: str, home: Path) -> Any:
    """What a command prints with `--json`."""
    line = [*command(" ".join(words[:2]), home), *words[2:], "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env=environment())
    return json.loads(done.stdout)


def find_processes(group: int) -> list[str]:
    """Command lines of the live processes in a session, by its leader's id."""
    listing = subprocess.run(
        ["ps", "-s", str(group), "-o", "stat=,args="], capture_output=True, text=True, check=False
    )
    lines = [line.split(maxsplit=1) for line in listing.stdout.splitlines()]
    return [args for state, args in lines if not state.startswith("Z")]
