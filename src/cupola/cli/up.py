"""`cupola up`: run Cupola in this terminal until Ctrl-C."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from cupola.app.greeting import Ready
    from cupola.settings import Settings

ReadyFile = Annotated[
    Path | None,
    typer.Option(metavar="F", help="Write this file when the first endpoint answers."),
]

TlsOption = Annotated[
    str | None, typer.Option(metavar="T", help="off, local (an authority of ours) or own.")
]


def up(
    host: Annotated[str | None, typer.Option(metavar="H", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="Port; 0: any free one.")] = None,
    tls: TlsOption = None,
    home: HomeOption = None,
    ready_file: ReadyFile = None,
) -> None:
    """Start Cupola: the endpoints, their engines and the API. Ctrl-C stops all of it."""
    import asyncio
    import gc

    # What a start imports and builds stays, and the collector would look through all of it again
    # and again: a tenth of a start. `greeting.tune_collector` turns it on.
    gc.disable()
    from cupola.settings import load_settings

    settings = load_settings(host=host, port=port, tls=tls, home=home)
    print(f"Cupola is starting. Its data lives in {settings.home}", flush=True)
    with asyncio.Runner(loop_factory=_choose_loop()) as runner:
        runner.run(_run(settings, ready_file))
    print("\nCupola has stopped.", flush=True)


def _choose_loop() -> "Callable[[], AbstractEventLoop]":
    """uvloop where there is one: half the time per request."""
    try:
        import uvloop
    except ImportError:
        import asyncio

        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _run(settings: "Settings", ready_file: Path | None) -> None:
    import asyncio
    import signal

    from cupola.app.greeting import Listeners
    from cupola.app.serve import serve

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    listeners = Listeners(
        on_ready=lambda ready: _welcome(settings, ready),
        on_delay=lambda reason: print(f"Not ready yet: {reason}", file=sys.stderr, flush=True),
    )
    await serve(settings, stopping, listeners, ready_file)


def _welcome(settings: "Settings", ready: "Ready") -> None:
    from cupola.cli.welcome import compose_welcome

    print(compose_welcome(settings.home, ready), flush=True)
