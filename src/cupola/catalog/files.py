"""Files of parameters: what an entry knows of them, and what is found of them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class Quantisation(StrEnum):
    """How parameters are stored, spelt as files are named."""

    F32 = "F32"
    BF16 = "BF16"
    F16 = "F16"
    Q8_0 = "Q8_0"
    Q6_K = "Q6_K"
    Q5_K_M = "Q5_K_M"
    Q4_K_M = "Q4_K_M"

    @property
    def bits(self) -> float:
        """Of a parameter, scales included."""
        return _BITS[self]


_BITS: Final = {
    Quantisation.F32: 32.0,
    Quantisation.BF16: 16.0,
    Quantisation.F16: 16.0,
    Quantisation.Q8_0: 8.5,  # blocks of 32 bytes and one 16-bit scale
    Quantisation.Q6_K: 6.5625,  # blocks of 256 parameters in 210 bytes
    Quantisation.Q5_K_M: 5.7,  # a mixture of Q5_K and Q6_K: an upper bound of what files have
    Quantisation.Q4_K_M: 4.9,  # a mixture of Q4_K and Q6_K: the same
}


class Format(StrEnum):
    """What wrote the files, and so which engines read them."""

    GGUF = "gguf"
    """For `llamacpp`: one file, tokenizer and chat template included."""
    SAFETENSORS = "safetensors"
    """For `vllm`: a folder as the publisher's repository has it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of parameters, and how to know that it is whole."""

    name: str
    """Without a folder."""
    size: int | None = None
    """Bytes; None: not known."""
    sha256: str | None = None
    """64 hexadecimal digits; None: not known."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters in one quantisation."""

    quantisation: Quantisation
    format: Format
    files: tuple[File, ...] = ()
    """In order; none: all files of the repository that end with the format's name."""
    repository: str | None = None
    """Where they are published, `OWNER/NAME`; None: nowhere that we know."""
    revision: str | None = None
    """The commit that sizes and checksums belong to; None: not fixed."""
    gated: bool = False
    """Whether the publisher wants the licence accepted before handing them out."""

    def describe(self) -> str:
        """What to look for, in words for people."""
        return ", ".join(file.name for file in self.files) or f"{self.repository}"


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """Weights on this machine."""

    path: Path
    """The first file."""
    own: bool
    """True: from the home's `models` folder, so the entry's size and checksum need not hold."""
    file: File
    """What the entry says of the first file."""


def describe_mismatch(file: File, size: int) -> str | None:
    """Why a file of `size` bytes cannot be this one, or None."""
    if file.size is None or size == file.size:
        return None
    return f"{file.name} has {size:,} bytes instead of {file.size:,}"
