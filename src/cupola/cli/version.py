"""`cupola version`."""

import typer

from cupola import __version__


def version() -> None:
    """Say which version this is."""
    typer.echo(f"cupola {__version__}")
