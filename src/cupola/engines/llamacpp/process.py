"""One engine process: started, awaited, ended; never more than one at a time.

It gets a session of its own, so that Ctrl-C in a terminal reaches only us, who then end it in
order; an empty environment; and a socket in a folder that only this user may enter.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cupola.engines.llamacpp import child
from cupola.engines.llamacpp.log import EngineLog
from cupola.http.client import Client, Unix
from cupola.http.connection import Broken
from cupola.kit.clock import SystemClock
from cupola.kit.errors import Unavailable

MAX_SOCKET_PATH: Final = 100
"""Bytes; the kernel's bound is 108 on Linux, 104 on macOS."""
START_TIMEOUT: Final = 300.0
"""Seconds to load a model: tens of GiB from a slow disk."""
STOP_TIMEOUT: Final = 2.0
"""Seconds to end when asked, before it is killed."""
SPARE_IDLE: Final = child.SPARE_CONNECTIONS // 2
"""Idle connections kept beyond one a slot. Each holds a thread of the engine's, which has more."""
_SOCKET: Final = "e.sock"
"""By the ending llama.cpp knows that this is no host name."""
_POLL: Final = 0.02
_LOG_CHECK: Final = 30.0


class EngineProcess:
    """The child process of one replica, and the client of its socket."""

    def __init__(
        self, name: str, runtime_folder: Path, log_folder: Path, options: Mapping[str, Any]
    ) -> None:
        self._name = name
        self._runtime_folder = runtime_folder
        self._log = EngineLog(log_folder / f"{name}.log", SystemClock())
        self._options = options
        self._process: Process | None = None
        self._folder: Path | None = None
        self.client = Client(Unix(""))

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process and self.is_running else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            Unavailable: it ended, or did not answer in time; the private text has its last lines.
        """
        await self.stop()
        try:
            socket = self._make_socket_path()
            self.client = Client(Unix(str(socket)), max_idle=self._options["slots"] + SPARE_IDLE)
            self._log.say(self._describe_start())
            await self._spawn({**self._options, "socket": str(socket)})
            await self._wait_healthy()
            self._log.say(f"The engine answers, as process {self.pid}.")
        except OSError as error:
            await self.stop()
            raise Unavailable("The engine could not be started.", private=str(error)) from error
        except BaseException:
            await self.stop()
            raise

    async def wait_ended(self) -> str:
        """How it ended, once it has. Keeps the log within its bound meanwhile."""
        while (process := self._process) is not None and process.returncode is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOG_CHECK):
                    await process.wait()
            self._log.trim()
        how = self._describe_end()
        self._log.say(how)
        return how

    async def stop(self) -> None:
        """End it, by force if it does not listen."""
        self.client.close()
        if self._process is not None and self.is_running:
            await self._end(self._process)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _end(self, process: Process) -> None:
        for ask in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, ask)
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT):
                    await process.wait()
                    return

    async def _spawn(self, options: Mapping[str, Any]) -> None:
        with self._log.open() as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", child.__file__,
                stdin=PIPE, stdout=log, stderr=log, env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(options).encode() + b"\n")

    async def _wait_healthy(self) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while True:
                    if await self._is_healthy():
                        return
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            raise self._unavailable("The engine did not start in time.") from error

    async def _is_healthy(self) -> bool:
        if not self.is_running:
            raise self._unavailable(self._describe_end())
        try:
            status, _ = await self.client.request("GET", "/health", within=START_TIMEOUT)
        except Broken:
            return False
        return status == 200

    def _unavailable(self, public: str) -> Unavailable:
        last_lines = self._log.read_last_lines()
        return Unavailable(public, private=f"{public} Its last lines were:\n{last_lines}")

    def _describe_start(self) -> str:
        file = Path(self._options["weights"]).name
        return (
            f"The engine starts on {file}: {self._options['slots']} slots of "
            f"{self._options['context_length']} tokens, threads: {self._options['threads']}."
        )

    def _describe_end(self) -> str:
        code = self._process.returncode if self._process else None
        if code is None:
            return "The engine was not started."
        if code < 0:
            name = signal.strsignal(-code) or "unknown"
            return f"The engine was ended by signal {-code} ({name})."
        return f"The engine ended with exit code {code}."

    def _make_socket_path(self) -> Path:
        """A path short enough for a socket, in a new folder that only we may enter."""
        self._runtime_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="e-", dir=self._runtime_folder))
        if len(os.fsencode(self._folder / _SOCKET)) > MAX_SOCKET_PATH:
            self._folder.rmdir()
            self._folder = Path(tempfile.mkdtemp(prefix="cupola-"))
        return self._folder / _SOCKET
