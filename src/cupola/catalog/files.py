"""Files of parameters: what an entry knows of them, and what is found of them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias


class Quantisation(StrEnum):
    """How parameters are stored, spelt as files are named."""

    F32 = "F32"
    BF16 = "BF16"
    F16 = "F16"
    Q8_0 = "Q8_0"
    Q6_K = "Q6_K"
    Q5_K_M = "Q5_K_M"
    Q5_K_S = "Q5_K_S"
    Q5_1 = "Q5_1"
    Q5_0 = "Q5_0"
    Q4_K_M = "Q4_K_M"
    Q4_K_S = "Q4_K_S"
    Q4_1 = "Q4_1"
    Q4_0 = "Q4_0"
    IQ4_NL = "IQ4_NL"
    IQ4_XS = "IQ4_XS"
    MXFP4 = "MXFP4"
    Q3_K_L = "Q3_K_L"
    Q3_K_M = "Q3_K_M"
    Q3_K_S = "Q3_K_S"
    Q2_K = "Q2_K"

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
    Quantisation.Q5_K_S: 5.6,
    Quantisation.Q5_1: 6.0,  # blocks of 32 in 24 bytes
    Quantisation.Q5_0: 5.5,  # blocks of 32 in 22 bytes
    Quantisation.Q4_K_M: 4.9,  # a mixture of Q4_K and Q6_K: the same
    Quantisation.Q4_K_S: 4.7,
    Quantisation.Q4_1: 5.0,
    Quantisation.Q4_0: 4.5,  # blocks of 32 in 18 bytes, without the larger output matrix
    Quantisation.IQ4_NL: 4.6,
    Quantisation.IQ4_XS: 4.4,
    Quantisation.MXFP4: 4.4,
    Quantisation.Q3_K_L: 4.4,  # the next ones are mixtures again, so upper bounds
    Quantisation.Q3_K_M: 4.1,
    Quantisation.Q3_K_S: 3.7,
    Quantisation.Q2_K: 3.4,
}


_LONGEST_NAME: Final = 200
"""Characters; file systems allow 255 bytes."""


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
    """As in its repository; folders in it are kept (`is_safe_name`)."""
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


@dataclass(frozen=True, slots=True)
class Absent:
    """Not on this machine, and nobody fetches them."""

    reason: str
    """Why they cannot be had, or what has to be done to have them."""
    fetchable: bool = False
    """Whether `ensure` would try to fetch them."""


@dataclass(frozen=True, slots=True)
class Downloading:
    """On their way."""

    bytes: int
    """That are here."""
    total: int | None
    """None: not known yet."""
    waits: bool = False
    """Another process fetches the same; this one waits for it."""

    @property
    def progress(self) -> float | None:
        """0 to 1; None: not known yet."""
        return min(1.0, self.bytes / self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class Ready:
    """Whole, and on this machine."""

    found: FoundWeights
    quantisation: Quantisation


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """The last attempt to fetch them failed; what was fetched is kept, to go on from there."""

    reason: str
    """With what to do."""


WeightsState: TypeAlias = Absent | Downloading | Ready | FetchFailed


@dataclass(frozen=True, slots=True)
class Garbage:
    """Fetched weights that nobody wants."""

    name: str
    """Of their folder: repository, quantisation and a digest."""
    size: int
    """Bytes that deleting them frees."""


def is_safe_name(name: str) -> bool:
    """Whether a file of that name stays in the folder it is put into, and hides nothing there."""
    parts = name.split("/")
    return len(name) <= _LONGEST_NAME and all(
        part and not part.startswith(".") and part.isprintable() and not set(part) & set("\\:")
        for part in parts
    )


def describe_mismatch(file: File, size: int) -> str | None:
    """Why a file of `size` bytes cannot be this one, or None."""
    if file.size is None or size == file.size:
        return None
    return f"{file.name} has {size:,} bytes instead of {file.size:,}"
