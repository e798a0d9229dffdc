"""What this machine has, and what processes take of it: the only reader of /proc here.

Memory is bounded by the machine and, in a container, by its control group. macOS has neither file:
there `sysctl` and `vm_stat` tell.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from cupola.deployments.fit import Machine
from cupola.deployments.model import InstanceType

_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup")
_GIB: Final = 1024**3
_UNKNOWN: Final = 1 << 50
"""Where nothing can be told, nothing is refused."""


def read_machine(cores: int, *, meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> Machine:
    """What there is now; `cores` are those that this process may use."""
    if meminfo.exists():
        total, free = _read_meminfo(meminfo)
    elif sys.platform == "darwin":
        total, free = _ask_darwin()
    else:
        total = free = _UNKNOWN
    limit, used = _read_cgroup(cgroup)
    if limit is not None:
        total, free = min(total, limit), min(free, limit - used)
    return Machine(total, max(free, 0), cores)


def read_resident(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Bytes of memory that a process holds, mapped weights included; None: it cannot be told."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", (proc / str(pid) / "status").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def suggest_instance_types(machine: Machine) -> list[InstanceType]:
    """What a new installation offers: those of a usual series that this machine can hold."""
    series = [("small", 1, 2), ("medium", 2, 8), ("large", 4, 16), ("xlarge", 8, 32),
              ("2xlarge", 16, 64), ("4xlarge", 32, 128)]  # fmt: skip
    fitting = [
        InstanceType(name, cores, gib * _GIB)
        for name, cores, gib in series
        if cores <= machine.cores and gib * _GIB <= machine.total
    ]
    return fitting or [InstanceType("small", 1, machine.total)]


def _read_meminfo(file: Path) -> tuple[int, int]:
    found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", file.read_text(), re.M))
    return int(found["MemTotal"]) * 1024, int(found["MemAvailable"]) * 1024


def _read_cgroup(folder: Path) -> tuple[int | None, int]:
    """The control group's limit and what counts towards it; files that are cached give way."""
    for limit, used, cached in (
        ("memory.max", "memory.current", "file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_cache"),
    ):
        try:
            most = (folder / limit).read_text().strip()
            now = int((folder / used).read_text())
            statistics = ((folder / used).parent / "memory.stat").read_text()
        except (OSError, ValueError):
            continue
        if not most.isdigit():
            return None, 0  # `max`: there is none
        shared = re.search(rf"^{cached} (\d+)$", statistics, re.M)
        return int(most), max(0, now - int(shared[1] if shared else 0))
    return None, 0


def _ask_darwin() -> tuple[int, int]:
    try:
        total = int(_ask("sysctl", "-n", "hw.memsize"))
        pages = _ask("vm_stat")
    except (OSError, ValueError, subprocess.SubprocessError):
        return _UNKNOWN, _UNKNOWN
    size = re.search(r"page size of (\d+) bytes", pages)
    kinds = re.findall(r"^Pages (?:free|inactive|speculative|purgeable):\s+(\d+)", pages, re.M)
    return total, sum(map(int, kinds)) * int(size[1] if size else 4096)


def _ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout
