"""The process that talks to the hub: `python -m cupola.catalog.fetch`, one for each download.

A process of its own, because the library blocks: a download that hangs can be ended at any moment,
cannot stop the server, and its memory and its import (half a second) are not the server's. It reads
a `Job` from the standard input, tells events on the standard output, and ends with its parent.

The library resolves names, revisions, access and mirrors. The bytes are read here, because the
library begins anew after its process was killed, and what we fetch takes hours.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from cupola.catalog.fetch_events import Event, Failed, Job

_EXIT_CODE: Final = 3
_output = threading.Lock()


def tell(event: Event) -> None:
    """Write one event for the parent."""
    with _output:
        sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
        sys.stdout.buffer.flush()


class _Parent:
    """The standard input after the job: `go`, and its end, which is the parent's."""

    def __init__(self) -> None:
        self._go = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def wait(self) -> None:
        """Until the parent lets the download begin."""
        self._go.wait()

    def _watch(self) -> None:
        for line in sys.stdin.buffer:
            if line == b"go\n":
                self._go.set()
        os._exit(_EXIT_CODE)  # what has arrived lies in the files; nothing else is worth saving


def main() -> None:
    """Do one job; every end but a crash is an event."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    parent = _Parent()
    # Imported when the watch on the parent runs: loading the library takes its time.
    from cupola.catalog.hub import Refused, describe, fetch  # noqa: PLC0415

    try:
        if job.fetch is None:
            tell(describe(job))
        else:
            wait: Callable[[], None] = parent.wait
            fetch(job, job.fetch, tell, wait)
    except Refused as refused:
        tell(Failed(str(refused)))
    sys.stdout.buffer.flush()
    os._exit(0)  # the watching thread cannot be woken from its read


if __name__ == "__main__":
    os.umask(0o077)
    main()
