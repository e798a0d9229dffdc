"""Where an upstream's key is kept: never beside its URL, never in what a process shows of itself.

It is read when the replica starts, and again after the upstream has refused it, so that a new key
in a file needs no restart.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cupola.kit.errors import Unavailable
from cupola.settings import read_variable

_PUBLIC = "The model's provider cannot be asked: this service lacks the key for it."
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class KeyVariable:
    """A variable of the environment."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file that only its owner can read."""

    path: Path


KeySource: TypeAlias = KeyVariable | KeyFile


def read_key(source: KeySource | None) -> str | None:
    """The key; None where the upstream wants none.

    Raises:
        Unavailable: It is not there, or not fit to be sent; the private message says what to do.
    """
    match source:
        case None:
            return None
        case KeyVariable(name):
            where, text = f"the environment variable {name}", read_variable(name)
            if text is None:
                raise Unavailable(_PUBLIC, private=f"Set {where}: it is to hold the key.")
        case KeyFile(path):
            where, text = f"the file {path}", _read_file(path)
    key = text.strip()
    if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        raise Unavailable(_PUBLIC, private=f"What is in {where} is no key: one line of ASCII.")
    return key


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(_LONGEST + 2)
    except OSError as error:
        private = f"The key's file {path} cannot be read: {error.strerror}."
        raise Unavailable(_PUBLIC, private=private) from None
    if mode & 0o077:
        private = f"The key's file {path} is open to others (mode {mode:o}): chmod 600 '{path}'."
        raise Unavailable(_PUBLIC, private=private)
    return text.decode("latin-1")
