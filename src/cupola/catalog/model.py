"""What a catalog entry says about a model."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cupola.ids import ModelName


class Task(StrEnum):
    """What a model is for, spelt as `/info` gives it in `model_type`."""

    CHAT_COMPLETIONS = "chat-completions"


class Capability(StrEnum):
    """What a model was trained to do, beyond answering in text."""

    STREAMING = "streaming"
    TOOLS = "tools"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of parameters, and how to know that it is whole."""

    file: str
    """Its name, without a folder."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Model:
    """One entry. Nothing in it depends on the machine it is read on."""

    name: ModelName
    publisher: str
    """Who made it, spelt as `/info` gives it in `model_provider_name`."""
    collection: str
    """The family it belongs to."""
    summary: str
    """One or two plain sentences on what to expect of it."""
    task: Task
    license: str
    """An SPDX identifier."""
    languages: tuple[str, ...]
    """ISO 639-1 codes, best first."""
    context_length: int
    """Tokens of prompt and completion together."""
    parameters: int
    capabilities: frozenset[Capability]
    engines: tuple[str, ...]
    """Engines that can run it, preferred first."""
    default_temperature: float
    """Used when a request gives none."""
    weights: Weights


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """Weights on this machine."""

    path: Path
    own: bool
    """True: from the home's `models` folder, so the entry's size and checksum need not hold."""


def describe_mismatch(weights: Weights, size: int) -> str | None:
    """Why a file of `size` bytes cannot be these weights, or None."""
    if size == weights.size:
        return None
    return f"{weights.file} has {size:,} bytes instead of {weights.size:,}"
