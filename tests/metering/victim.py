"""A process that fills a ledger until it is killed: `python -m tests.metering.victim PLACE FOLDER`.

It says on its output what it did, a line each: `open ID` once a request is admitted, `ack ID` once
its record is said to be durable. What a request used follows from its id.
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from cupola.kit.clock import SystemClock
from cupola.metering.model import Ended, Opened
from cupola.metering.ports import RecordStore
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.writer import Ledger
from tests.metering.samples import NOON

_AT_ONCE = 32


def begin(request: str) -> Opened:
    """A request by its id, `PID-NUMBER`."""
    number = int(request.rpartition("-")[2])
    names = ("default", "pilot", "blue", "serverless", "primary", f"model-{number % 3}", "azure")
    return Opened(request, NOON + number, *names, "EUR", 1, 1_000_000, 2_000_000)


def end(request: str) -> Ended:
    """How it ended."""
    number = int(request.rpartition("-")[2])
    return Ended(10 + number, 20 + 2 * number, "stop", 200)


async def main(place: str, folder: Path) -> None:
    ledger = Ledger(_open(place), folder, SystemClock())
    await ledger.start()
    numbers = count()

    async def work() -> None:
        for number in numbers:
            request = f"{os.getpid()}-{number}"
            live = ledger.open(begin(request))
            os.write(1, f"open {request}\n".encode())
            live.progress(10 + number, number)
            await asyncio.sleep(0)
            await ledger.settle(live, end(request))
            os.write(1, f"ack {request}\n".encode())

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


def _open(place: str) -> RecordStore:
    if not place.startswith("postgresql:"):
        return SqliteRecords(Path(place))
    from cupola.metering.postgresql import PostgresqlRecords  # noqa: PLC0415  slow to import

    return PostgresqlRecords(place)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
