"""Requests in progress, in a file mapped into memory: what a killed server was doing.

    state       of a slot           on restart
    FREE        nothing             -
    OPEN        `Opened`            a record, interrupted, with the tokens counted so far
    ENDED       `UsageRecord`       that record: it had ended, but was not yet durable elsewhere

A slot is written by storing into memory: that costs a microsecond, and the kernel keeps it when the
process is killed. Against a power cut it is no help by itself, which is why `sync` is called every
now and then; what has been settled is durable elsewhere by then. A slot's state is stored last, so
whoever reads the file sees no half-written slot.

The file belongs to one process, which holds a lock on it that the kernel lets go when it ends.
"""

import fcntl
import logging
import os
import struct
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path
from typing import Final, Self

import msgspec

from cupola.metering.model import INTERRUPTED, Ended, Opened, UsageRecord, close_request

SUFFIX: Final = ".open"
_SLOT: Final = 2048
_FIRST: Final = 128
"""Slots of a new file; it doubles as often as it must."""
_HEAD: Final = struct.Struct("<BxxxIIxxxxqq")
"""State, lengths of the two contents, tokens of prompt and completion so far."""
_STATE: Final = struct.Struct("<B")
_LENGTH: Final = struct.Struct("<I")
_LENGTH_AT: Final = 8
_TOKENS: Final = struct.Struct("<qq")
_TOKENS_AT: Final = 16
_OPENED_AT: Final = _HEAD.size
_RECORD_AT: Final = _SLOT // 2
"""The record has a place of its own: until it is whole, what was opened counts."""
_ROOM: Final = _SLOT // 2 - _HEAD.size
_LONGEST_REQUEST: Final = 128
_FREE, _OPEN, _ENDED = range(3)

_log = logging.getLogger(__name__)
_write = msgspec.msgpack.Encoder().encode
_read_opened = msgspec.msgpack.Decoder(Opened).decode
_read_record = msgspec.msgpack.Decoder(UsageRecord).decode


class Journal:
    """The slots of one process. Used by one thread, but for `sync`."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._path = folder / f"{instance}{SUFFIX}"
        draft = folder / f".{instance}"
        self._handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Nobody can find the file before it is locked.
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        os.ftruncate(self._handle, _FIRST * _SLOT)
        draft.rename(self._path)
        self._map = mmap(self._handle, _FIRST * _SLOT)
        self._free = list(range(_FIRST - 1, -1, -1))
        self._used = 0

    @property
    def used(self) -> int:
        """Slots in use."""
        return self._used

    def open(self, opened: Opened) -> int:
        """The slot of a request that was admitted."""
        content = _fit(opened)
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._used += 1
        place = slot * _SLOT
        start = place + _OPENED_AT
        self._map[start : start + len(content)] = content
        _HEAD.pack_into(self._map, place, _FREE, len(content), 0, 0, 0)
        _STATE.pack_into(self._map, place, _OPEN)
        return slot

    def progress(self, slot: int, prompt: int, completion: int) -> None:
        """Tokens so far."""
        _TOKENS.pack_into(self._map, slot * _SLOT + _TOKENS_AT, prompt, completion)

    def end(self, slot: int, record: UsageRecord) -> None:
        """The request has ended; its record is on the way to where it is durable."""
        content = _fit(record)
        place = slot * _SLOT
        start = place + _RECORD_AT
        self._map[start : start + len(content)] = content
        _LENGTH.pack_into(self._map, place + _LENGTH_AT, len(content))
        _STATE.pack_into(self._map, place, _ENDED)

    def free(self, slot: int) -> None:
        """Its record is durable."""
        _STATE.pack_into(self._map, slot * _SLOT, _FREE)
        self._free.append(slot)
        self._used -= 1

    def sync(self) -> None:
        """Bring all slots to the disk. Takes a while; for a thread of its own."""
        os.fdatasync(self._handle)

    def left(self) -> Iterator[UsageRecord]:
        """The records of the slots in use."""
        return _parse(self._map)

    def remove(self) -> None:
        """Nothing in it is needed any more."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        self._map.close()
        os.close(self._handle)

    def _grow(self) -> None:
        size = len(self._map)
        os.ftruncate(self._handle, 2 * size)
        self._map.resize(2 * size)
        self._free.extend(range(2 * size // _SLOT - 1, size // _SLOT - 1, -1))


class Abandoned:
    """The journal of a process that is no more, locked, so that nobody else takes it over too."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    @classmethod
    def find(cls, folder: Path) -> Iterator[Self]:
        """All of them; those whose processes live are passed over."""
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            handle = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
            else:
                yield cls(path, handle)

    def records(self) -> Iterator[UsageRecord]:
        """One for each request that was in progress."""
        return _parse(self.path.read_bytes())

    def remove(self) -> None:
        """Its records are durable."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Leave it to whoever starts next."""
        os.close(self._handle)


def _parse(content: bytes | mmap) -> Iterator[UsageRecord]:
    for place in range(0, len(content) - _SLOT + 1, _SLOT):
        try:
            record = _parse_slot(content[place : place + _SLOT])
        except msgspec.DecodeError as error:
            # Only a power cut can tear a slot, and of what was settled nothing is lost with it.
            _log.error("A request in progress cannot be read from the journal: %s", error)
        else:
            if record is not None:
                yield record


def _parse_slot(slot: bytes) -> UsageRecord | None:
    state, opened, record, prompt, completion = _HEAD.unpack_from(slot)
    if state == _OPEN:
        ended = Ended(prompt, completion, INTERRUPTED, 0, counted=False)
        return close_request(_read_opened(slot[_OPENED_AT : _OPENED_AT + opened]), ended)
    return _read_record(slot[_RECORD_AT : _RECORD_AT + record]) if state == _ENDED else None


def _fit(content: Opened | UsageRecord) -> bytes:
    """As bytes that fit into a slot; of names that are too long together, the longest is cut.

    Only the journal has them cut, and so only the record of a request that was interrupted.
    """
    encoded = _write(content)
    if len(encoded) <= _ROOM:
        return encoded
    if len(content.request) > _LONGEST_REQUEST:
        raise ValueError("The id of a request is too long.")
    names = (name for name in content.__struct_fields__ if name != "request")
    texts = {name: text for name in names if isinstance(text := getattr(content, name), str)}
    longest = max(texts, key=lambda name: len(texts[name]))
    half = texts[longest][: len(texts[longest]) // 2]
    return _fit(msgspec.structs.replace(content, **{longest: half}))
