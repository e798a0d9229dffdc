"""How fetched weights lie in the home: a folder for each, and the receipt that makes it believed.

    weights/OWNER--NAME--QUANTISATION--DIGEST/
        cupola.json        the receipt: written last, when every file has been checked
        .plan.json         what is to come, so that whatever arrived can be told from other files
        .lock              held by the process that fetches (a kernel lock: it ends with its holder)
        FILE.part          what has arrived of a file so far; the next attempt goes on from there
        FILE               whole and checked

Everything in `weights/` is Cupola's own and may be deleted; files of the user are never put there.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from cupola.catalog.files import File, FoundWeights, Weights, is_safe_name

RECEIPT: Final = "cupola.json"
PLAN: Final = ".plan.json"
LOCK: Final = ".lock"
PART: Final = ".part"
FOLDER: Final = re.compile(r"[\w.-]+--[\w.-]+--\w+--[0-9a-f]{8}")


class Receipt(msgspec.Struct, frozen=True):
    """What was fetched, from where, and that all of it was checked."""

    repository: str
    revision: str
    """The commit."""
    files: tuple[File, ...]
    """In order, each with size and checksum."""


def name_folder(weights: Weights) -> str:
    """The folder of `weights`: another repository, revision or list of files is another folder."""
    names = [file.name for file in weights.files]
    identity = repr((weights.repository, weights.revision, weights.format.value, names))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    owner = str(weights.repository).replace("/", "--")
    return f"{owner}--{weights.quantisation}--{digest}"


def read_receipt(folder: Path, name: str = RECEIPT) -> Receipt | None:
    """None: there is none, or it cannot be read, and then the folder is not believed."""
    try:
        return msgspec.json.decode((folder / name).read_bytes(), type=Receipt)
    except (OSError, ValueError):
        return None


def write_receipt(folder: Path, receipt: Receipt, name: str = RECEIPT) -> None:
    """Write it so that it is there whole or not at all, even if the machine stops."""
    draft = folder / f".{name}.draft"
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(receipt)))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / name)


def find_whole(folder: Path) -> FoundWeights | None:
    """The weights in `folder`, if they were checked and nothing changed their sizes since."""
    receipt = read_receipt(folder)
    if receipt is None or not receipt.files:
        return None
    for file in receipt.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.size:
            return None
    first = receipt.files[0]
    return FoundWeights(path=folder / first.name, own=False, file=first)


def collect(folder: Path, *, dry_run: bool) -> int:
    """Bytes of what a download left in `folder`; deletes it unless `dry_run`.

    Only what Cupola brought is deleted: whatever else somebody put there, stays with its folder.
    The caller holds the lock.
    """
    brought = [
        path
        for receipt in (read_receipt(folder), read_receipt(folder, PLAN))
        for file in (receipt.files if receipt else ())
        for path in (folder / file.name, folder / (file.name + PART))
        if is_safe_name(file.name) and path.is_file()
    ]
    size = sum(path.stat().st_size for path in set(brought))
    if not dry_run:
        # The receipt first: weights that are half deleted must not be believed.
        for path in (folder / RECEIPT, *brought, folder / PLAN, folder / LOCK):
            path.unlink(missing_ok=True)
        inner = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
        for path in (*inner, folder):
            with suppress(OSError):  # not empty
                path.rmdir()
    return size


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the folder's lock while the block runs; yields False if another has it (`wait` unset).

    The lock's file goes with its folder, so after waiting it is looked at again: a lock on a file
    that was deleted meanwhile keeps nobody out.
    """
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            if _is_current(folder / LOCK, file.fileno()):
                yield True
                return


def _is_current(path: Path, handle: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False
