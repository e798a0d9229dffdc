"""The log of an engine's process: bounded, with its last lines at hand when it dies.

The process appends to the file itself, so it cannot be renamed under it; it is copied and emptied.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from cupola.kit.clock import Clock

MAX_LOG: Final = 4 * 1024 * 1024
"""Bytes; one file of that size and one older."""
_TAIL: Final = 8 * 1024


class EngineLog:
    """One engine's log file and its predecessor."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def open(self) -> BinaryIO:
        """The file for a new process to append to; nobody else on this machine may read it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.trim()
        self._path.touch(mode=0o600)
        return self._path.open("ab")

    def say(self, text: str) -> None:
        """A line of our own among the process's: llama.cpp writes none while all goes well."""
        time = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.open() as file:
            file.write(f"{time} Cupola: {text}\n".encode())

    def trim(self) -> None:
        """Empty the file, if it has grown too long, into its predecessor."""
        if self._path.exists() and self._path.stat().st_size > MAX_LOG:
            shutil.copyfile(self._path, self._path.with_suffix(".log.1"))
            with self._path.open("r+b") as file:
                file.truncate(0)

    def read_last_lines(self, lines: int = 12) -> str:
        """What the process said last."""
        if not self._path.exists():
            return ""
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - _TAIL))
            text = file.read(_TAIL).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])
