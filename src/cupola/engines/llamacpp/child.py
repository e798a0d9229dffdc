"""What runs in an engine's process: xllamacpp's server, until the parent is gone.

It is started as a file, not as a module, and imports nothing of Cupola: its environment is empty,
its memory the model's. The parent writes one line of JSON to the standard input and then keeps it
open; when it ends, for whatever reason the parent ended, so does this process. On Linux the
kernel kills it besides, should it be too busy to notice.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1
PROMPT_CACHE: Final = 256
"""MiB of prompts kept outside the slots; llama.cpp's own default is eight GiB."""
SPARE_CONNECTIONS: Final = 64
"""Threads beyond one a slot: idle and waiting connections hold one each, for up to 5 s."""
ERRORS: Final = 1
"""Log level. The next ones write lines for every request."""


def main() -> None:
    """Serve until the standard input ends."""
    die_with_parent()
    options = json.loads(sys.stdin.readline())
    watch = threading.Thread(target=exit_at_end_of_input)
    watch.start()
    try:
        server = serve(options)
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    watch.join()
    del server  # it serves as long as it is referenced


def die_with_parent() -> None:
    """Ask the kernel to kill us when the parent ends, and see whether it did already."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def exit_at_end_of_input() -> None:
    """Read until the parent has gone; then no clean-up, the engine holds nothing worth it."""
    while sys.stdin.read(1):
        pass
    os._exit(0)


def serve(options: dict[str, Any]) -> object:
    """Load the model and serve it on the socket; returns when it can be asked."""
    # Imported here, so that the watch on the parent begins before the library loads.
    import xllamacpp  # noqa: PLC0415

    params = xllamacpp.CommonParams()
    params.model.path = options["weights"]
    params.hostnames = [options["socket"]]
    params.n_parallel = options["slots"]
    params.n_ctx = options["slots"] * options["context_length"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.n_threads_http = options["slots"] + SPARE_CONNECTIONS
    params.ctx_shift = False  # what does not fit is refused, never cut
    params.fit_params = False  # the context is as asked for, or the start fails
    params.warmup = False
    params.cache_ram_mib = PROMPT_CACHE
    # Prompts come rendered. What the engine cannot read in the file's own template, as filters that
    # Jinja has and it lacks, would else end its start.
    params.chat_template = "chatml"
    params.ui = False
    params.verbosity = ERRORS
    return xllamacpp.Server(params)


if __name__ == "__main__":
    os.umask(0o077)
    main()
