"""Whether a replica fits into this machine's memory, decided before anything is started.

A replica needs its weights, which replicas of one file share (they are mapped, not read), and what
it works with: the cache of keys and values, prompts kept aside, the engine itself. What was
measured goes before what was reckoned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

ENGINE_BYTES: Final = 320 * 1024**2
"""llama.cpp's code and buffers, and the prompts it keeps outside of the slots (256 MiB at most)."""
_GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Need:
    """What one replica takes, in bytes."""

    weights: int = 0
    working: int = 0
    file: str = ""
    """Whose weights: replicas of the same file share them."""
    smaller: tuple[tuple[str, int], ...] = ()
    """Other quantisations of the model, and what a replica with them would need."""

    @property
    def total(self) -> int:
        return self.weights + self.working


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run replicas on."""

    total: int
    """Bytes of memory that we may use at all."""
    free: int
    """Bytes of it that nothing uses now, files that only lie in the cache included."""
    cores: int


class Room:
    """Memory that is left, while a plan hands it out.

    Two bounds hold. Ours: everything that our replicas were reckoned to need, for mapped weights
    count as free in what the system says. The system's: what is free now, less what replicas that
    are still starting will take, for others use the machine too.
    """

    def __init__(self, machine: Machine, loaded: Iterable[Need], loading: Iterable[Need]) -> None:
        loaded, loading = list(loaded), list(loading)
        self._files = {need.file for need in (*loaded, *loading)}
        self.free = min(machine.total - _sum([*loaded, *loading]), machine.free - _sum(loading))

    def take(self, need: Need) -> bool:
        """Set the memory for a replica aside; False: there is not so much."""
        wanted = need.working + (0 if need.file in self._files else need.weights)
        if wanted > max(self.free, 0):
            return False
        self.free -= wanted
        self._files.add(need.file)
        return True


def reckon(
    size: int, file: str, cache: int, measured: int | None, smaller: Sequence[tuple[str, int]] = ()
) -> Need:
    """What a replica needs.

    Args:
        size: Of the weights' file.
        cache: Bytes of keys and values of all slots together.
        measured: The most that such a replica was seen to take. Less than the file's size means
            that it had not touched all of its weights yet, so that is no measure.
    """
    working = cache + ENGINE_BYTES
    if measured is not None and measured >= size:
        working = measured - size
    return Need(size, working, file, tuple((name, few + working) for name, few in smaller))


def explain_lack(need: Need, free: int, others: Sequence[str]) -> str:
    """What is missing, and what to do: `others` may be stopped to make room."""
    free = max(free, 0)
    mends = [f"choose {name}" for name, total in need.smaller if total <= free][:1]
    mends += [f"stop {name}" for name in others[:1]]
    mends.append("give it fewer slots or a shorter context")
    return (
        f"It needs {show_size(need.total)}, this machine has {show_size(free)} free: "
        f"{' or '.join(mends)}."
    )


def explain_small_machine(need: Need, memory: int) -> str:
    """Why nothing that could be stopped would help."""
    mends = [f"choose {name}" for name, total in need.smaller if total <= memory][:1]
    mends.append("give it fewer slots or a shorter context")
    return (
        f"It needs {show_size(need.total)}, this machine has {show_size(memory)} in all: "
        f"{' or '.join(mends)}."
    )


def explain_small_instance(need: Need, instance_type: str, memory: int) -> str | None:
    """Why an instance of this type is too small; None if it is not."""
    if need.total <= memory:
        return None
    return (
        f"It needs {show_size(need.total)}, an instance of type {instance_type} has "
        f"{show_size(memory)}: choose a larger type, fewer slots or a shorter context."
    )


def show_size(size: int) -> str:
    """Binary units, as people say them."""
    return f"{size / _GIB:.1f} GiB" if size >= _GIB / 10 else f"{size / 1024**2:.0f} MiB"


def _sum(needs: Sequence[Need]) -> int:
    """Weights of one file count once."""
    files = {need.file: need.weights for need in needs}
    return sum(files.values()) + sum(need.working for need in needs)
