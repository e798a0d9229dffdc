"""What Linux says about processes, in /proc: who runs, who started whom, what they hold open."""

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "00010000"
"""The flag SO_ACCEPTCON in /proc/net/unix."""


def children_of(pid: int) -> set[int]:
    """Every descendant of `pid` that still runs."""
    parents = {child: _parent(child) for child in _running()}
    found: set[int] = set()
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found |= level
    return found


def is_running(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be buried."""
    return _state(pid) not in ("", "Z", "X")


def command_of(pid: int) -> str:
    """Its command line; empty if it has ended."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def engine_of(server: int) -> int:
    """The process that runs the model: the server's one child that loads weights."""
    (engine,) = (pid for pid in children_of(server) if "llamacpp" in command_of(pid))
    return engine


def socket_of(pid: int) -> str:
    """The path of the Unix socket on which a process listens."""
    held = {str(entry.readlink()) for entry in (_PROC / str(pid) / "fd").iterdir()}
    for line in (_PROC / str(pid) / "net" / "unix").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[6]}]" in held and fields[3] == _LISTENING and len(fields) > 7:
            return fields[7]
    raise AssertionError(f"process {pid} listens on no Unix socket")


@dataclass(frozen=True)
class Holdings:
    """What a process and its children hold, counted."""

    descriptors: int
    threads: int
    processes: int

    def exceeds(self, other: "Holdings", *, by: int) -> bool:
        """Whether any count is larger than the other's by more than `by`."""
        return (
            self.descriptors > other.descriptors + by
            or self.threads > other.threads + by
            or self.processes > other.processes
        )


def holdings_of(pid: int) -> Holdings:
    """The server's own descriptors and threads, those of its children, and how many they are."""
    family = {pid} | children_of(pid)
    return Holdings(
        descriptors=sum(_count(one, "fd") for one in family),
        threads=sum(_count(one, "task") for one in family),
        processes=len(family),
    )


def _count(pid: int, what: str) -> int:
    return len(list((_PROC / str(pid) / what).iterdir()))


def _running() -> list[int]:
    numbers = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in numbers if is_running(pid)]


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _state(pid: int) -> str:
    fields = _fields(pid)
    return fields[0] if fields else ""


def _fields(pid: int) -> list[str]:
    """/proc/PID/stat from its third field on; the second may hold spaces, so it is skipped."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
