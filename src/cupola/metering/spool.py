"""Records that wait for a database that is away: a file of JSON lines, each durable when written.

A line that a crash left unfinished was acknowledged to nobody, so it is passed over. Lines may be
read again after a crash; the ledger takes each record once.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from cupola.metering.model import UsageRecord

SUFFIX: Final = ".spool"

_write = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(UsageRecord).decode
_log = logging.getLogger(__name__)


class Spool:
    """A file that grows, is read from its beginning, and goes when all of it was read.

    Args:
        largest: Bytes it may have; beyond it takes nothing more.
    """

    def __init__(self, path: Path, largest: int) -> None:
        self._path = path
        self._largest = largest
        self._done = self._peeked = 0
        self.size = 0
        """Bytes."""
        self.records = 0
        """Those that still wait."""

    @property
    def is_full(self) -> bool:
        """Whether it takes nothing more."""
        return self.size >= self._largest

    def append(self, records: Sequence[UsageRecord]) -> None:
        """Durable when it returns.

        Raises:
            OSError: It cannot be written; then none of them count as written.
        """
        lines = b"".join(_write(record) + b"\n" for record in records)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            # Behind what is known to be whole: a try that failed half-way is written over.
            os.truncate(handle, self.size)
            os.lseek(handle, self.size, os.SEEK_SET)
            with os.fdopen(handle, "wb", closefd=False) as file:
                file.write(lines)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        if not self.size:
            _sync_folder(self._path.parent)
        self.size += len(lines)
        self.records += len(records)

    def peek(self, limit: int) -> Sequence[UsageRecord]:
        """The next ones, at most `limit`."""
        if self._done == self.size:
            return ()
        with self._path.open("rb") as file:
            file.seek(self._done)
            lines = [line for _, line in zip(range(limit), file, strict=False)]
        self._peeked = sum(map(len, lines))
        return list(_decode(lines))

    def advance(self, records: int) -> None:
        """Those that `peek` returned, so many, are durable in the ledger."""
        self._done += self._peeked
        self.records -= records
        if self._done == self.size:
            self._path.unlink(missing_ok=True)
            self._done = self.size = 0


def read_spool(path: Path) -> Iterator[UsageRecord]:
    """The records of a file that another process left."""
    if path.exists():
        with path.open("rb") as file:
            yield from _decode(file)


def _decode(lines: Iterable[bytes]) -> Iterator[UsageRecord]:
    for line in lines:
        try:
            yield _read(line)
        except msgspec.DecodeError:
            _log.warning(
                "A line of the ledger's spool that a crash left unfinished is passed over."
            )


def _sync_folder(folder: Path) -> None:
    """A new file is there after a power cut only if its folder was synced too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
