"""`cupola backup` and `cupola restore`: an installation in one file."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cupola.cli.options import HomeOption, JsonOption
from cupola.cli.output import print_json

if TYPE_CHECKING:
    from cupola.backup import Note


@dataclass(frozen=True, slots=True)
class BackupView:
    """What `--json` prints; docs/reference/cli.md promises its fields."""

    file: str
    version: str
    schema: str
    time: str
    has_secret: bool


BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", dir_okay=False)]
NoSecret = Annotated[
    bool,
    typer.Option(
        "--no-secret", help="Leave the secret out: then keep it elsewhere, or all keys change."
    ),
]


def backup(
    file: BackupFile, no_secret: NoSecret = False, json: JsonOption = False, home: HomeOption = None
) -> None:
    """Write the installation into FILE; the server may go on running. Weights are not in it."""
    from cupola.app import locate
    from cupola.backup import write_backup
    from cupola.kit.clock import SystemClock
    from cupola.settings import load_settings

    source = locate(load_settings(home=home))
    note = asyncio.run(write_backup(source, file, SystemClock(), with_secret=not no_secret))
    if json:
        print_json(_view(file, note))
        return
    print(f"{source.home.folder} is in {file}.")
    if note.has_secret:
        print("Whoever reads that file holds every key of this installation: keep it safe.")
    else:
        print(f"The keys can come back only with {source.home.secret}: keep it, apart from this.")


def restore(file: BackupFile, json: JsonOption = False, home: HomeOption = None) -> None:
    """Make an installation from FILE, in a home and a database that are empty."""
    from cupola.app import locate
    from cupola.backup import restore_backup
    from cupola.settings import load_settings

    source = locate(load_settings(home=home))
    note = restore_backup(source, file)
    if json:
        print_json(_view(file, note))
        return
    print(f"{source.home.folder} is as it was on {_spell(note.time)}.")
    if not note.has_secret:
        print(f"The backup has no secret: put it to {source.home.secret} before the first start.")


def _view(file: Path, note: "Note") -> BackupView:
    return BackupView(str(file), note.version, note.schema, _spell(note.time), note.has_secret)


def _spell(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
