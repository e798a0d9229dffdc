"""What a ledger of many rows costs: `python -m bench.ledger [--rows 10000000]`.

1. *A home is filled* with so many records of months (`fill`), and verified.
2. *A real server on it* (`served`): how soon it listens, every report of the management API many
   times, exports of all records, and the server's memory.
3. *The writer alone* (`room`): settlements one by one and 64 at once, beside what the disk's own
   flush takes in the same minute, into an empty ledger and into a copy of this one; 2,000 requests
   a second for a minute; and the deletion of old records, with what a settlement waits meanwhile.

`--home` keeps the home, and takes it as it is if it is there. With `--database-url` the writer is
measured on that PostgreSQL database, too; use an empty one. The exit status is 1 if a report took
longer than 300 ms in more than one of twenty times.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.ledger import room, served
from bench.ledger.fill import DAYS, Filled, fill, find
from cupola.db.migration import ensure_ledger, ensure_schema
from cupola.metering.model import DAY
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.sqlite import SqliteRecords


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each kind of settling")
    parser.add_argument("--pressure", type=float, default=60.0, help="seconds of 2,000 a second")
    parser.add_argument("--rounds", type=int, default=20, help="how often each report is asked for")
    parser.add_argument("--home", type=Path, help="filled if it is not there, and kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = (given.home or folder / "home").absolute()
        end = int(time.time()) // DAY * DAY
        filled = find(home) if home.exists() else fill(home, given.rows, end)
        slow = measure_server(filled, given.rounds)
        measure_writer(filled, folder, given.database_url, given.seconds, given.pressure)
    if slow:
        sys.exit(f"Slower than they may be: {'; '.join(slow)}.")


def measure_server(filled: Filled, rounds: int) -> list[str]:
    """The reports that were slow."""
    with served.serving(filled) as server:
        slow = uvloop.run(served.ask_all(server, filled, rounds))
        uvloop.run(served.export_all(server, filled))
    return [*slow]


def measure_writer(filled: Filled, folder: Path, url: str, seconds: float, pressure: float) -> None:
    """On copies, so that the home stays as it is."""
    room.hot_path(folder)
    ensure_ledger(folder / "empty.db")
    uvloop.run(room.settle(SqliteRecords(folder / "empty.db"), "SQLite, empty", seconds))
    if url:
        ensure_schema(url)
        uvloop.run(room.settle(PostgresqlRecords(url), "PostgreSQL", seconds))
    copy = folder / "copy.db"
    shutil.copy(filled.ledger, copy)
    uvloop.run(room.settle(SqliteRecords(copy), f"SQLite, {filled.rows:,} records", seconds))
    uvloop.run(room.ingest(copy, pressure))
    uvloop.run(room.expire(copy, DAYS // 2, pressure / 2))


if __name__ == "__main__":
    main()
