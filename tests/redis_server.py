"""A real Redis for tests: a server of its own on a socket of its own, gone afterwards."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.acceptance.missing import give_up
from tests.patience import PATIENCE


class RedisServer:
    """A server that can be stopped and started again; it keeps nothing over a stop."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        line = [self._program, "--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        log = self._folder / "log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(line, cwd=self._folder, stdout=file, stderr=file)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with Redis(unix_socket_path=str(self._socket)) as client:
                    client.ping()
            except RedisError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"Redis does not start:\n{log.read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within, it accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def forget_all(self) -> None:
        with Redis(unix_socket_path=str(self._socket)) as client:
            client.flushall()


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Skips, or fails in CI, where Redis is not installed."""
    program = shutil.which("redis-server") or give_up("Redis is not installed (no redis-server)")
    folder = Path(tempfile.mkdtemp(prefix="cupola-redis-"))
    server = RedisServer(program, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
