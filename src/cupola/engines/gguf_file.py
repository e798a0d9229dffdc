"""The layout of a GGUF file, read without believing any of it.

An engine maps the file and follows its numbers in C++, where a wrong one is a crash. So every
length, count and offset is checked here first, against hard bounds and against the file's size.
Weights are not read.

    magic "GGUF" | version | tensor count | pair count
    pairs        key, type, value                      (values: numbers, texts, arrays of either)
    tensors      name, dimensions, type, offset        (offsets count from the aligned data)
    data

Source: the GGUF specification in the ggml repository, docs/gguf.md. Version 1 and big-endian files
are refused; llama.cpp does not load them either.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from cupola.kit.errors import Invalid

MAX_HEADER: Final = 256 * 1024 * 1024
"""Bytes before the weights; the largest vocabularies take some ten MiB."""
MAX_PAIRS: Final = 65_536
MAX_TENSORS: Final = 1_000_000
MAX_KEY: Final = 65_535
"""Bytes, as the specification has it."""
MAX_TEXT: Final = 4 * 1024 * 1024
"""Bytes; the longest are chat templates, of some ten KiB."""
MAX_DIMENSIONS: Final = 4
MAX_ALIGNMENT: Final = 65_536

_MAGIC: Final = b"GGUF"
_NUMBERS: Final = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_FORMATS: Final = {kind: struct.Struct("<" + code) for kind, code in _NUMBERS.items()}
_TEXT: Final = 8
_ARRAY: Final = 9
_KEPT_ARRAYS: Final = frozenset({"tokenizer.ggml.tokens", "tokenizer.ggml.token_type"})

_BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""Tensor type -> (weights, bytes) of a block. Of a type younger than this table only the offset is
checked; the engine knows whether it can read it."""


class BadModelFile(Invalid):
    """The file is no model that can be served; the sentence says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, but for the weights themselves."""

    metadata: dict[str, Any]
    """Arrays are left out but for the vocabulary's; every number and text is there."""
    weights: Mapping[int, int]
    """How many numbers are stored in each tensor type."""


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata alone of the file at `path`. Raises: BadModelFile, as `read_contents`."""
    return read_contents(path).metadata


def read_contents(path: Path) -> Contents:
    """What the file at `path` holds, which is checked from its first byte to its last offset.

    Raises:
        BadModelFile: it is unreadable, cut short or damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb", buffering=1024 * 1024) as file:
            return _read(_Cursor(file, size))
    except OSError as error:
        raise BadModelFile("The model file cannot be read.", private=str(error)) from error


class _Cursor:
    """Reads forward, never past the end of the file or the bound of a header."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self.offset = 0
        self._end = min(size, MAX_HEADER)

    def take(self, length: int) -> bytes:
        self._advance(length)
        data = self._file.read(length)
        if len(data) != length:
            raise BadModelFile("The model file is cut short.")
        return data

    def skip(self, length: int) -> None:
        self._advance(length)
        self._file.seek(length, 1)

    def number(self, kind: int) -> Any:
        layout = _FORMATS[kind]
        return layout.unpack(self.take(layout.size))[0]

    def count(self, most: int, what: str) -> int:
        value: int = self.number(10)
        if value > most:
            raise BadModelFile(f"The model file claims {value} {what}; at most {most} are allowed.")
        return value

    def text(self, most: int = MAX_TEXT) -> str:
        return self.take(self.count(most, "bytes of text")).decode("utf-8", "replace")

    def _advance(self, length: int) -> None:
        if length > self._end - self.offset:
            raise BadModelFile("The model file is cut short, or its header is damaged.")
        self.offset += length


def _read(cursor: _Cursor) -> Contents:
    if cursor.size < 24 or cursor.take(4) != _MAGIC:
        raise BadModelFile("The file is not a GGUF model file.")
    if (version := cursor.number(4)) not in (2, 3):
        raise BadModelFile(f"The model file has GGUF version {version}; versions 2 and 3 are read.")
    tensors = cursor.count(MAX_TENSORS, "tensors")
    pairs = cursor.count(MAX_PAIRS, "metadata entries")
    metadata = dict(_iter_pairs(cursor, pairs))
    return Contents(metadata, _check_tensors(cursor, tensors, _alignment(metadata)))


def _iter_pairs(cursor: _Cursor, pairs: int) -> Iterator[tuple[str, Any]]:
    for _ in range(pairs):
        key = cursor.text(MAX_KEY)
        yield key, _value(cursor, key, cursor.number(4))


def _value(cursor: _Cursor, key: str, kind: int) -> Any:
    if kind in _FORMATS:
        return cursor.number(kind)
    if kind == _TEXT:
        return cursor.text()
    if kind == _ARRAY:
        return _array(cursor, cursor.number(4), keep=key in _KEPT_ARRAYS)
    raise BadModelFile(f"The model file has metadata of unknown type {kind}.")


def _array(cursor: _Cursor, kind: int, *, keep: bool) -> list[Any]:
    room = cursor.size - cursor.offset
    if kind == _TEXT:
        texts = [cursor.text() for _ in range(cursor.count(room // 8, "texts"))]
        return texts if keep else []
    if (layout := _FORMATS.get(kind)) is None:
        raise BadModelFile(f"The model file has an array of unknown type {kind}.")
    length = cursor.count(room // layout.size, "numbers")
    if not keep:
        cursor.skip(length * layout.size)
        return []
    return [number for (number,) in layout.iter_unpack(cursor.take(length * layout.size))]


def _alignment(metadata: dict[str, Any]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT or alignment % 8:
        raise BadModelFile("The model file has an unusable alignment.")
    return alignment


def _check_tensors(cursor: _Cursor, tensors: int, alignment: int) -> Mapping[int, int]:
    """Check all tensors; how many numbers there are of each type."""
    counts: Counter[int] = Counter()
    end = 0
    for _ in range(tensors):
        kind, count, offset = _read_tensor(cursor, alignment)
        weights, size = _BLOCKS.get(kind, (1, 0))
        end = max(end, offset + count // weights * size)
        counts[kind] += count
    data = -(-cursor.offset // alignment) * alignment
    if not counts or data + end > cursor.size:
        raise BadModelFile("The model file is cut short: weights lie beyond its end.")
    return counts


def _read_tensor(cursor: _Cursor, alignment: int) -> tuple[int, int, int]:
    """Check one tensor; its type, how many numbers it has, and where its data begins."""
    name = cursor.text(MAX_KEY)
    dimensions = cursor.number(4)
    if not 0 < dimensions <= MAX_DIMENSIONS:
        raise BadModelFile("The model file has a tensor with a wrong number of dimensions.")
    shape: list[int] = [cursor.number(10) for _ in range(dimensions)]
    kind: int = cursor.number(4)
    offset: int = cursor.number(10)
    if 0 in shape or shape[0] % _BLOCKS.get(kind, (1, 0))[0] or offset % alignment:
        raise BadModelFile(
            "The model file has a tensor with a wrong shape or offset.", private=f"Tensor {name}"
        )
    return kind, math.prod(shape), offset
