"""Waiting for an endpoint, in sight: a bar on a terminal, else a line for each new reason."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cupola.sdk import Endpoint


@contextmanager
def shown_progress(
    name: str, deployment: str | None = None
) -> "Iterator[Callable[[Endpoint], None]]":
    """What tells the person at the terminal how the endpoint is; on standard error."""
    if not sys.stderr.isatty():
        yield _tell_lines(name, deployment)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[name]}"),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", name=name, total=None)

        def tell(endpoint: "Endpoint") -> None:
            text, part = _describe(endpoint, deployment)
            total = None if part is None else 1.0
            progress.update(task, description=text, total=total, completed=part or 0.0)

        yield tell


def _tell_lines(name: str, deployment: str | None) -> "Callable[[Endpoint], None]":
    last = ""

    def tell(endpoint: "Endpoint") -> None:
        nonlocal last
        text, _ = _describe(endpoint, deployment)
        if text != last:
            print(f"{name}: {text}", file=sys.stderr, flush=True)
        last = text

    return tell


def _describe(endpoint: "Endpoint", name: str | None) -> tuple[str, float | None]:
    """In words, and as a part of the whole if that is known."""
    for deployment in endpoint.deployments:
        if deployment.name == name:
            return deployment.reason or deployment.state, deployment.progress
    return endpoint.reason or endpoint.state, endpoint.progress
