import asyncio
import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from cupola.metering.export import COLUMNS, Format, export
from cupola.metering.model import UsageRecord
from tests.metering.samples import NOON, record


async def _of(*records: UsageRecord) -> AsyncIterator[UsageRecord]:
    for each in records:
        yield each


async def _whole(form: Format, *records: UsageRecord) -> str:
    return b"".join([piece async for piece in export(_of(*records), form)]).decode()


async def test_csv():
    """A line of names, then a line for each record; money is exact, what is not known is empty."""
    known = record(time=NOON + 0.25, cost=1, queue=None, model="=cmd()")
    [first, second] = csv.reader(io.StringIO(await _whole(Format.CSV, known)))
    found = dict(zip(first, second, strict=True))

    assert list(COLUMNS) == first
    assert ("2023-11-15T12:00:00.250Z", "0.000000001", "", "true", "'=cmd()") == (
        found["time"],
        found["cost"],
        found["queue"],
        found["counted"],
        found["model"],
    )
    assert known.request == found["request"]


_NAMES = st.sampled_from(["a-b", "-b", "=c", '"d', "e,f", "g\nh", "\ti", "j@", "+", "\r", ""])


@given(st.lists(_NAMES, min_size=3, max_size=3), st.none() | st.floats(0, 1e6))
def test_csv_of_odd_names(names: list[str], queue: float | None):
    """Whatever a name looks like, a reader of CSV gets it back, but for the guard of formulas."""
    model, key, endpoint = names
    odd = record(model=model, key=key, endpoint=endpoint, queue=queue)
    [_, line] = csv.reader(io.StringIO(asyncio.run(_whole(Format.CSV, odd)), newline=""))
    found = dict(zip(COLUMNS, line, strict=True))
    guarded = ["'" + name if name[:1] in "=+-@\t\r" and name else name for name in names]

    assert guarded == [found[name] for name in ("model", "key", "endpoint")]
    assert ("" if queue is None else str(queue)) == found["queue"]
    assert odd.request == found["request"]


async def test_json_lines():
    """A line for each record, with the same fields."""
    known = [record(first_token=None), record()]
    found = [json.loads(line) for line in (await _whole(Format.JSON, *known)).splitlines()]

    assert [each.request for each in known] == [each["request"] for each in found]
    assert [*COLUMNS] == [*found[0]]
    assert (None, 100, "0.0002") == (found[0]["first_token"], found[0]["prompt"], found[0]["cost"])


async def test_memory_stays_flat():
    """An export of many records takes no more memory than one of few."""
    known = record()

    async def many() -> AsyncIterator[UsageRecord]:
        for _ in range(50_000):
            yield known

    tracemalloc.start()
    size = 0
    async for piece in export(many(), Format.CSV):
        size += len(piece)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 5_000_000
    assert most < 1_000_000


async def test_nothing_to_export():
    """No record: the names alone, or nothing."""
    assert ",".join(COLUMNS) + "\r\n" == await _whole(Format.CSV)
    assert "" == await _whole(Format.JSON)
