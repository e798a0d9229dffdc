"""What a GGUF file says of its model, read without believing any of it.

An engine maps the file and follows its numbers in C++, where a wrong one is a crash. So every
length, count and offset is checked here first, against hard bounds and against the file's size, and
only what is needed to prompt the model is kept. Weights are not read.

    magic "GGUF" | version | tensor count | pair count
    pairs        key, type, value                      (values: numbers, texts, arrays of either)
    tensors      name, dimensions, type, offset        (offsets count from the aligned data)
    data

Source: the GGUF specification in the ggml repository, docs/gguf.md. Version 1 and big-endian files
are refused; llama.cpp does not load them either.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from cupola.engines.port import Profile
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

_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4
_END_KEYS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_END_TEXTS: Final = ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|end|>")
"""Control tokens that llama.cpp takes for the end of a reply by their text alone."""


class BadModelFile(Invalid):
    """The file is no model that can be served; the sentence says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is kept of a model file."""

    architecture: str
    name: str
    context_length: int
    chat_template: str
    """Empty: the file has none."""
    tokenizer: str
    """`llama` is SentencePiece, `gpt2` is byte-level BPE."""
    vocabulary_size: int
    bos: tuple[str, int] | None
    """Text and id."""
    eos: tuple[str, int] | None
    end_ids: frozenset[int]
    """Tokens that end a reply."""
    control_tokens: dict[str, int]
    unknown_ids: tuple[int, ...]
    user_defined: tuple[str, ...]
    """Texts that the tokenizer cuts out first; they are not control tokens."""
    add_space_prefix: bool


def read_header(path: Path) -> Header:
    """Check the file at `path` from its first byte to its last offset.

    Raises:
        BadModelFile: it is unreadable, cut short, damaged, or has no tokenizer.
    """
    try:
        size = path.stat().st_size
        with path.open("rb", buffering=1024 * 1024) as file:
            return _read(_Cursor(file, size))
    except OSError as error:
        raise BadModelFile("The model file cannot be read.", private=str(error)) from error


def profile(header: Header, context_length: int | None = None) -> Profile:
    """What the gateway must know of the model, served with at most `context_length` tokens."""
    longest = header.context_length
    spaced = header.tokenizer == "llama" and header.add_space_prefix
    return Profile(
        context_length=min(context_length or longest, longest),
        chat_template=header.chat_template,
        bos_token=header.bos[0] if header.bos else "",
        eos_token=header.eos[0] if header.eos else "",
        control_tokens=header.control_tokens,
        tool_calls_token=header.control_tokens.get("[TOOL_CALLS]"),
        grammar=not spaced,  # llguidance is silently off on such vocabularies
    )


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


def _read(cursor: _Cursor) -> Header:
    if cursor.size < 24 or cursor.take(4) != _MAGIC:
        raise BadModelFile("The file is not a GGUF model file.")
    if (version := cursor.number(4)) not in (2, 3):
        raise BadModelFile(f"The model file has GGUF version {version}; versions 2 and 3 are read.")
    tensors = cursor.count(MAX_TENSORS, "tensors")
    pairs = cursor.count(MAX_PAIRS, "metadata entries")
    metadata = dict(_iter_pairs(cursor, pairs))
    _check_tensors(cursor, tensors, _alignment(metadata))
    return _interpret(_Metadata(metadata))


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


def _check_tensors(cursor: _Cursor, tensors: int, alignment: int) -> None:
    ends = [_end_of_tensor(cursor, alignment) for _ in range(tensors)]
    data = -(-cursor.offset // alignment) * alignment
    if not ends or data + max(ends) > cursor.size:
        raise BadModelFile("The model file is cut short: weights lie beyond its end.")


def _end_of_tensor(cursor: _Cursor, alignment: int) -> int:
    """Check one tensor; the offset at which it ends, counted from the data's beginning."""
    name = cursor.text(MAX_KEY)
    dimensions = cursor.number(4)
    if not 0 < dimensions <= MAX_DIMENSIONS:
        raise BadModelFile("The model file has a tensor with a wrong number of dimensions.")
    shape: list[int] = [cursor.number(10) for _ in range(dimensions)]
    weights, size = _BLOCKS.get(cursor.number(4), (1, 0))
    offset: int = cursor.number(10)
    if 0 in shape or shape[0] % weights or offset % alignment:
        raise BadModelFile(
            "The model file has a tensor with a wrong shape or offset.", private=f"Tensor {name}"
        )
    count = 1
    for length in shape:
        count *= length
    return offset + count // weights * size


class _Metadata:
    """Typed look-ups: a value of a wrong type is a damaged file."""

    def __init__(self, pairs: dict[str, Any]) -> None:
        self._pairs = pairs

    def find(self, key: str, kind: type) -> Any:
        value = self._pairs.get(key)
        if value is not None and type(value) is not kind:
            raise BadModelFile(f"The model file's {key!r} has a wrong type.")
        return value

    def get(self, key: str, kind: type) -> Any:
        value = self.find(key, kind)
        if value is None or value == [] or value == "":
            raise BadModelFile(f"The model file has no {key!r}.")
        return value


def _interpret(metadata: _Metadata) -> Header:
    architecture: str = metadata.get("general.architecture", str)
    tokenizer: str = metadata.get("tokenizer.ggml.model", str)
    texts: list[str] = metadata.get("tokenizer.ggml.tokens", list)
    types: list[int] = metadata.get("tokenizer.ggml.token_type", list)
    context_length: int = metadata.get(f"{architecture}.context_length", int)
    add_space_prefix: bool | None = metadata.find("tokenizer.ggml.add_space_prefix", bool)
    if len(types) != len(texts) or not isinstance(texts[0], str) or context_length < 1:
        raise BadModelFile("The model file's tokenizer or context length is damaged.")
    control = {text: i for i, text in enumerate(texts) if types[i] == _CONTROL}
    ends = [_find_token(metadata, key, texts) for key in _END_KEYS]
    return Header(
        architecture=architecture,
        name=metadata.find("general.name", str) or "",
        context_length=context_length,
        chat_template=metadata.find("tokenizer.chat_template", str) or "",
        tokenizer=tokenizer,
        vocabulary_size=len(texts),
        bos=_find_token(metadata, "bos_token_id", texts),
        eos=ends[0],
        end_ids=frozenset(
            [end[1] for end in ends if end] + [control[t] for t in _END_TEXTS if t in control]
        ),
        control_tokens=control,
        unknown_ids=tuple(i for i, kind in enumerate(types) if kind == _UNKNOWN),
        user_defined=tuple(t for t, k in zip(texts, types, strict=True) if k == _USER_DEFINED),
        add_space_prefix=tokenizer == "llama" if add_space_prefix is None else add_space_prefix,
    )


def _find_token(metadata: _Metadata, key: str, texts: list[str]) -> tuple[str, int] | None:
    number: int | None = metadata.find(f"tokenizer.ggml.{key}", int)
    if number is None:
        return None
    if not 0 <= number < len(texts):
        raise BadModelFile(f"The model file's {key!r} is no token of its vocabulary.")
    return texts[number], number
