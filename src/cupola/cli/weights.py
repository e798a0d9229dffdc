"""`cupola models download` and `gc`: weights in the home, whether a server runs on it or not.

A running server need not be asked: the folder's locks keep both from doing the same at once.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cupola.cli.options import HomeOption, JsonOption
from cupola.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cupola.catalog.files import Garbage, WeightsState

_GIB: Final = 1024**3
_TOLD_EVERY: Final = 0.5
"""Seconds between two lines of progress on a terminal."""

QuantisationOption = Annotated[
    str | None,
    typer.Option(metavar="Q", help="As Q4_K_M; default: the one that is here, or preferred."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")]


@dataclass(frozen=True, slots=True)
class FetchedView:
    """What `download --json` prints."""

    model: str
    quantisation: str
    path: str
    """The first file."""
    size: int
    """Bytes of it."""


@dataclass(frozen=True, slots=True)
class GarbageView:
    """What `gc --json` prints of each folder."""

    name: str
    size: int
    """Bytes."""


def download(
    name: str,
    quantisation: QuantisationOption = None,
    json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Fetch a model's weights, or go on with it, ahead of a deployment."""
    import asyncio

    view = asyncio.run(_download(name, quantisation, home))
    if json:
        print_json(view)
    else:
        print(f"The weights of {view.model} in {view.quantisation} are here: {view.path}")


def gc(dry_run: DryRunOption = False, json: JsonOption = False, home: HomeOption = None) -> None:
    """Delete fetched weights that no deployment wants. Your own files are never deleted."""
    import asyncio

    found = asyncio.run(_collect(home, dry_run=dry_run))
    if json:
        print_json([GarbageView(each.name, each.size) for each in found])
        return
    for each in found:
        print(f"{each.name}  {each.size / _GIB:.1f} GiB")
    total = sum(each.size for each in found) / _GIB
    print(f"{total:.1f} GiB {'would be' if dry_run else 'are'} free again.")


async def _download(name: str, quantisation: str | None, home: "Path | None") -> FetchedView:
    import asyncio

    from cupola.app.state import open_state
    from cupola.catalog.files import Ready
    from cupola.kit.clock import SystemClock
    from cupola.settings import load_settings

    async with open_state(load_settings(home=home), SystemClock()) as state:
        model = state.catalog.get_model(name)
        asking = asyncio.ensure_future(state.weights.ensure(model, quantisation))
        while not asking.done():
            await asyncio.wait([asking], timeout=_TOLD_EVERY)
            _tell(state.weights.state(model, quantisation))
        found = asking.result()
        now = state.weights.state(model, quantisation)
        taken = now.quantisation if isinstance(now, Ready) else str(quantisation)
        return FetchedView(model.name, taken, str(found.path), found.path.stat().st_size)


def _tell(state: "WeightsState") -> None:
    """How far it is, on a terminal only."""
    from cupola.catalog.files import Downloading

    if not sys.stderr.isatty() or not isinstance(state, Downloading):
        return
    text = "another Cupola fetches them; waiting" if state.waits else "asking the hub"
    if state.total and state.progress is not None:
        here, total = state.bytes / _GIB, state.total / _GIB
        text = f"{state.progress:4.0%}  {here:.2f} of {total:.2f} GiB"
    print(f"\r\x1b[K{text}", end="\n" if state.progress == 1 else "", file=sys.stderr, flush=True)


async def _collect(home: "Path | None", *, dry_run: bool) -> "Sequence[Garbage]":
    from cupola.app.state import open_state
    from cupola.kit.clock import SystemClock
    from cupola.settings import load_settings

    async with open_state(load_settings(home=home), SystemClock()) as state:
        specs = [
            spec
            for endpoint in await state.endpoints.list_endpoints()
            for deployment in endpoint.deployments
            for spec in (deployment.spec, deployment.stable)
            if spec is not None
        ]
        keep = state.catalog.list_wanted((spec.model, spec.quantisation) for spec in specs)
        return state.weights.collect_garbage(keep, dry_run=dry_run)
