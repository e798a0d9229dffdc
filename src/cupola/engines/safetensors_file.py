"""The layout of a safetensors file, read without believing any of it.

    length of the header (8 bytes, little-endian) | header: a JSON object | data

The header maps each tensor's name to its type, shape and place in the data, which the tensors fill
without holes. Weights are not read. The format holds numbers only, so unlike a pickle it cannot
run anything; what is checked is that an engine's offsets stay inside the file.

Source: the README of the safetensors repository, "Format".
"""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from cupola.engines.gguf_file import BadModelFile

MAX_HEADER: Final = 100_000_000
"""Bytes; the bound of the format's own library."""

_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "I16": 16,
    "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64,
    "F64": 64,
}  # fmt: skip
"""Of a number, by the name of its type."""


class _Tensor(msgspec.Struct):
    """An entry of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def count_weights(path: Path) -> Mapping[str, int]:
    """How many numbers of each type the file at `path` holds; its header is checked whole.

    Raises:
        BadModelFile: it is unreadable, cut short or damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(MAX_HEADER, size - 8):
                raise BadModelFile("The file is not a safetensors file, or it is cut short.")
            return _check(_decode(file.read(length)), size - 8 - length)
    except OSError as error:
        raise BadModelFile("The model file cannot be read.", private=str(error)) from error


def _decode(header: bytes) -> Mapping[str, _Tensor]:
    try:
        raw = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        return {name: msgspec.json.decode(each, type=_Tensor) for name, each in raw.items()}
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors; so is bad UTF-8
        raise BadModelFile(
            "The safetensors file has a damaged header.", private=str(error)
        ) from error


def _check(tensors: Mapping[str, _Tensor], room: int) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    end = 0
    for name, each in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        bits = _BITS.get(each.dtype)
        begin, stop = each.data_offsets
        if bits is None:
            raise BadModelFile(f"The safetensors file has numbers of unknown type {each.dtype!r}.")
        count = math.prod(each.shape)
        if begin != end or min(each.shape, default=0) < 0 or (stop - begin) * 8 != count * bits:
            raise BadModelFile(
                "The safetensors file has a tensor with a wrong shape or offset.",
                private=f"Tensor {name}",
            )
        counts[each.dtype] += count
        end = stop
    if not counts or end != room:
        raise BadModelFile("The safetensors file is cut short, or has data that belongs nowhere.")
    return counts
