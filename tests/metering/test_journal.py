from pathlib import Path

import msgspec
import pytest

from cupola.metering.journal import Abandoned, Journal
from cupola.metering.model import INTERRUPTED, Ended, close_request
from tests.metering.samples import ENDED, opened, record


def _left(folder: Path) -> list[object]:
    return [each for found in Abandoned.find(folder) for each in found.records()]


def test_requests_in_progress_are_found(tmp_path: Path):
    """What a process was doing is found again, with the tokens that it had counted."""
    journal = Journal(tmp_path, "one")
    requests = [opened() for _ in range(3)]
    slots = [journal.open(each) for each in requests]
    journal.progress(slots[1], 7, 9)
    done = close_request(requests[2], ENDED)
    journal.end(slots[2], done)
    journal.close()
    interrupted = [
        close_request(each, Ended(prompt, completion, INTERRUPTED, 0, counted=False))
        for each, prompt, completion in ((requests[0], 0, 0), (requests[1], 7, 9))
    ]

    assert [*interrupted, done] == _left(tmp_path)
    assert 9 * 2000 + 7 * 1000 == interrupted[1].cost


def test_freed_slots_are_used_again(tmp_path: Path):
    """A slot whose record is durable holds nothing, and the next request takes it."""
    journal = Journal(tmp_path, "one")
    first = journal.open(opened())
    journal.progress(first, 5, 5)
    journal.free(first)

    assert (first, 1) == (journal.open(request := opened()), journal.used)
    journal.close()
    [found] = _left(tmp_path)
    assert close_request(request, Ended(0, 0, INTERRUPTED, 0, counted=False)) == found


def test_it_grows(tmp_path: Path):
    """There is no limit to requests in progress."""
    journal = Journal(tmp_path, "one")
    slots = [journal.open(opened()) for _ in range(1000)]

    assert 1000 == len(set(slots)) == len(list(journal.left()))
    journal.close()


def test_living_processes_are_left_alone(tmp_path: Path):
    """A journal whose process lives is nobody else's; a dead one's is taken once."""
    living, dead = Journal(tmp_path, "living"), Journal(tmp_path, "dead")
    dead.close()
    [found] = Abandoned.find(tmp_path)

    assert "dead.open" == found.path.name
    assert [] == list(Abandoned.find(tmp_path))
    found.remove()
    living.remove()
    assert [] == list(tmp_path.iterdir())


def test_ending_is_all_or_nothing(tmp_path: Path):
    """Until the end is whole in its slot, what was opened counts, whenever the kill comes."""
    journal = Journal(tmp_path, "one")
    request = opened()
    slot = journal.open(request)
    journal.progress(slot, 1, 2)
    whole = journal._map[:]
    journal.end(slot, close_request(request, ENDED))
    changed = [place for place in range(len(whole)) if whole[place] != journal._map[place]]

    # All but the state, which is stored last, is as the kernel would keep it from a killed process.
    assert slot * 2048 == changed[0]
    journal._map[slot * 2048] = whole[slot * 2048]
    journal.close()
    expected = close_request(request, Ended(1, 2, INTERRUPTED, 0, counted=False))
    assert [expected] == _left(tmp_path)


def test_torn_slot_hides_no_other(tmp_path: Path):
    """A slot that a power cut left in pieces is passed over, and said in the log."""
    journal = Journal(tmp_path, "one")
    slots = [journal.open(opened()) for _ in range(3)]
    journal._map[slots[1] * 2048 + 40 : slots[1] * 2048 + 300] = bytes(260)

    assert 2 == len(list(journal.left()))
    journal.close()


def test_long_names_fit(tmp_path: Path):
    """Names that are too long together lose their ends in the journal, never the request's id."""
    journal = Journal(tmp_path, "one")
    long = opened(model="m" * 3000, key="ü" * 500)
    journal.open(long)
    journal.end(journal.open(long), msgspec.structs.replace(record(), model="x" * 5000))
    first, second = journal.left()

    assert (long.request, True) == (first.request, long.model.startswith(first.model))
    assert second.model.strip("x") == ""
    with pytest.raises(ValueError, match="too long"):
        journal.open(opened(request="r" * 2000))
    journal.close()
