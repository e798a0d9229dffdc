from pathlib import Path

from cupola.metering.spool import Spool, read_spool
from tests.metering.samples import record


def test_read_in_order_and_gone(tmp_path: Path):
    """Records come out as they went in, and the file goes with the last of them."""
    spool = Spool(tmp_path / "one", 10**6)
    records = [record() for _ in range(5)]
    spool.append(records[:2])
    spool.append(records[2:])
    first = spool.peek(3)
    spool.advance(len(first))
    rest = spool.peek(3)
    spool.advance(len(rest))

    assert records == [*first, *rest]
    assert (0, 0, False) == (spool.records, spool.size, (tmp_path / "one").exists())
    assert () == spool.peek(3)


def test_what_is_not_advanced_stays(tmp_path: Path):
    """Records that did not reach the ledger are read again, with those appended meanwhile."""
    spool = Spool(tmp_path / "one", 10**6)
    first, second = record(), record()
    spool.append([first])
    spool.peek(10)
    spool.append([second])

    assert [first, second] == list(spool.peek(10))
    assert [first, second] == list(read_spool(tmp_path / "one"))


def test_unfinished_line_is_passed_over(tmp_path: Path):
    """A crash while writing costs only what was acknowledged to nobody."""
    spool = Spool(tmp_path / "one", 10**6)
    whole = record()
    spool.append([whole])
    with (tmp_path / "one").open("ab") as file:
        file.write(b'{"request":"half')

    assert [whole] == list(read_spool(tmp_path / "one"))
    later = record()
    spool.append([later])  # over the unfinished one
    assert [whole, later] == list(read_spool(tmp_path / "one"))


def test_it_is_bounded(tmp_path: Path):
    """It says when it is full, and is not any more when it was read."""
    spool = Spool(tmp_path / "one", 1000)
    while not spool.is_full:
        spool.append([record()])

    assert 1000 <= spool.size < 2000
    spool.advance(len(spool.peek(100)))
    assert not spool.is_full
    assert [] == list(read_spool(tmp_path / "none"))
