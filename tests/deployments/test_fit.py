"""What fits, and what is said where it does not; what the machine says of itself."""

import os
from pathlib import Path

from cupola.deployments.fit import (
    ENGINE_BYTES,
    Machine,
    Need,
    Room,
    reckon,
    show_size,
)
from cupola.deployments.machine import (
    read_machine,
    read_resident,
    suggest_instance_types,
)

GIB = 1024**3
MEMINFO = "MemTotal: {} kB\nMemFree: 1 kB\nMemAvailable: {} kB\n"


def test_measured_goes_before_reckoned():
    """What such a replica took says more than any formula."""
    assert 5 * GIB == reckon(4 * GIB, "f", GIB, measured=5 * GIB).total
    assert 5 * GIB + ENGINE_BYTES == reckon(4 * GIB, "f", GIB, measured=None).total


def test_a_measure_before_all_was_read_is_none():
    """Mapped weights count only once they were touched."""
    assert reckon(4 * GIB, "f", GIB, None) == reckon(4 * GIB, "f", GIB, measured=3 * GIB)


def test_room_is_handed_out_once():
    """What is set aside for one is not there for the next."""
    room = Room(Machine(10 * GIB, 10 * GIB, 1), [], [])

    assert room.take(Need(0, 6 * GIB, "a"))
    assert not room.take(Need(0, 6 * GIB, "b"))


def test_same_weights_are_mapped_once():
    """Two replicas of one file need its weights once, and their own caches."""
    room = Room(Machine(10 * GIB, 10 * GIB, 1), [], [])
    need = Need(6 * GIB, GIB, "a")

    assert room.take(need)
    assert room.take(need)
    assert 2 * GIB == room.free


def test_loaded_weights_are_no_free_memory():
    """The system calls mapped files available; for us they are in use."""
    machine = Machine(10 * GIB, 9 * GIB, 1)

    assert not Room(machine, [Need(6 * GIB, 0, "a")], []).take(Need(6 * GIB, 0, "b"))


def test_others_count_too():
    """What other programs hold is not ours to give, nor what is about to be taken."""
    assert not Room(Machine(10 * GIB, 2 * GIB, 1), [], []).take(Need(0, 3 * GIB))
    assert not Room(Machine(10 * GIB, 4 * GIB, 1), [], [Need(0, 2 * GIB, "a")]).take(
        Need(0, 3 * GIB, "b")
    )


def test_sizes_are_said_in_binary_units():
    """Small ones too."""
    assert ("5.2 GiB", "10 MiB") == (show_size(int(5.2 * GIB)), show_size(10 * 1024**2))


def test_machine_is_bounded_by_its_container(tmp_path: Path):
    """Of the control group's memory, cached files give way and so count as free."""
    (tmp_path / "meminfo").write_text(MEMINFO.format(16 * 1024**2, 12 * 1024**2))
    group = tmp_path / "group"
    group.mkdir()

    assert Machine(16 * GIB, 12 * GIB, 4) == read_machine(
        4, meminfo=tmp_path / "meminfo", cgroup=group
    )
    (group / "memory.max").write_text(f"{4 * GIB}\n")
    (group / "memory.current").write_text(f"{3 * GIB}\n")
    (group / "memory.stat").write_text(f"anon 5\nfile {GIB}\nfile_mapped 7\n")
    assert Machine(4 * GIB, 2 * GIB, 4) == read_machine(
        4, meminfo=tmp_path / "meminfo", cgroup=group
    )
    (group / "memory.max").write_text("max\n")
    assert 16 * GIB == read_machine(4, meminfo=tmp_path / "meminfo", cgroup=group).total


def test_this_machine_has_memory_and_we_use_some():
    """The real files are read as well."""
    machine = read_machine(2)
    own = read_resident(os.getpid())

    assert own is not None
    assert 1024**2 < own < machine.total
    assert 0 < machine.free <= machine.total
    assert read_resident(2**22 + 1) is None


def test_offered_types_fit_the_machine():
    """Nothing is offered that could never start; on the smallest machine there is still one."""
    names = [each.name for each in suggest_instance_types(Machine(20 * GIB, GIB, 4))]

    assert ["small", "medium", "large"] == names
    [only] = suggest_instance_types(Machine(GIB, GIB, 1))
    assert (1, GIB) == (only.cores, only.memory)
