"""One file that holds an installation, and an installation made from it.

    backup.json       what wrote it, when, and the database's schema
    rows.jsonl        the database (db.dump)
    ledger.jsonl      the ledger, if there is one
    home/...          the home's own files: the secret, if asked for, and what people wrote

It is a tar file, compressed with gzip. Weights, logs and whatever a start makes anew stay out.
Restoring reads these names and no others, so a crafted file cannot write anywhere else.
"""

import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec
from sqlalchemy import MetaData

from cupola import __version__
from cupola.db.database import Database
from cupola.db.dump import dump_rows, is_empty, load_rows, make_empty
from cupola.db.engine import Location
from cupola.db.migration import HEAD, Part
from cupola.db.tables import ledger, metadata
from cupola.home import Home
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, Invalid

_FORMAT: Final = 1
_NOTE: Final = "backup.json"
_ROWS: Final = "rows.jsonl"
_LEDGER: Final = "ledger.jsonl"
_WRITTEN: Final = ("upstreams.toml", "identity.toml")
"""Files of the home that people write."""
_FOLDERS: Final = ("models.d",)
"""Folders of such files: the installation's own catalog entries."""


class Note(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    format: int
    version: str
    """Of the Cupola that wrote it."""
    schema: str
    time: int
    """Seconds since the Unix epoch."""
    has_secret: bool


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up, or restored into."""

    home: Home
    location: Location

    @property
    def ledger(self) -> Location:
        """Where the ledger lies: in a file of its own, or beside the rest in PostgreSQL."""
        return self.home.ledger if isinstance(self.location, Path) else self.location


async def write_backup(source: Source, file: Path, clock: Clock, *, with_secret: bool) -> Note:
    """Write `file`, which only its owner may read. The server may go on running.

    Raises:
        Conflict: The file is there already.
    """
    note = Note(_FORMAT, __version__, HEAD, int(clock.now()), with_secret)
    with _drafts(file) as (draft, rows, usage):
        await _dump(source.location, rows, metadata)
        if has_ledger := not is_empty(source.ledger):
            await _dump(source.ledger, usage, ledger)
        dumped = ((rows, _ROWS), (usage, _LEDGER))[: 1 + has_ledger]
        with tarfile.open(draft, "w:gz") as archive:
            _add(archive, _NOTE, io.BytesIO(msgspec.json.encode(note)), note.time)
            for path, name in (*dumped, *_list_files(source.home, with_secret)):
                with path.open("rb") as content:
                    _add(archive, name, content, note.time)
        _publish(draft, file)
    return note


@contextmanager
def _drafts(file: Path) -> Iterator[tuple[Path, Path, Path]]:
    """The backup, and the rows that go into it, as long as they are being written."""
    kinds = ("draft", "rows", "ledger")
    draft, rows, usage = paths = [file.with_name(f".{file.name}.{kind}") for kind in kinds]
    try:
        for path in paths:
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
        yield draft, rows, usage
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


async def _dump(location: Location, rows: Path, of: MetaData) -> None:
    database = Database(location)
    try:
        with rows.open("wb") as file:
            async for line in dump_rows(database, of):
                file.write(line)
    finally:
        await database.close()


def restore_backup(source: Source, file: Path) -> Note:
    """Make an installation from `file`, in a home and a database that are empty.

    The home's secret stays as it is if the backup has none.

    Raises:
        Invalid: The file is no backup, or a later Cupola wrote it.
        Conflict: There is an installation already.
    """
    source.home.prepare()
    if not (is_empty(source.location) and is_empty(source.ledger)):
        raise Conflict(
            f"There is an installation in {source.home.folder} already. Restore into another home "
            "with --home, or move this one away first."
        )
    with _open(file) as archive:
        note = _read_note(archive)
        if note.has_secret and source.home.secret.exists():
            raise Conflict(
                f"{source.home.secret} is there already. Move it away, or restore elsewhere."
            )
        _load(source, note, archive)
        for name in archive.getnames():
            if target := _find_target(source.home, name):
                target.parent.mkdir(mode=0o700, exist_ok=True)
                target.touch(mode=0o600)
                target.write_bytes(_read(archive, name))
    return note


def _load(source: Source, note: Note, archive: tarfile.TarFile) -> None:
    """The rows, and the ledger's, into one database or two."""
    rows: Iterable[bytes] = _open_member(archive, _ROWS)
    if _LEDGER not in archive.getnames():
        load_rows(source.location, note.schema, rows)
        return
    usage = _open_member(archive, _LEDGER)
    if not isinstance(source.location, Path):
        load_rows(source.location, note.schema, chain(rows, usage))
        return
    load_rows(source.location, note.schema, rows)
    try:
        load_rows(source.home.ledger, note.schema, usage, Part.LEDGER)
    except BaseException:
        make_empty(source.location)
        raise


def _list_files(home: Home, with_secret: bool) -> Iterator[tuple[Path, str]]:
    """Each with its name in the archive."""
    folders = [sorted((home.folder / folder).glob("*")) for folder in _FOLDERS]
    written = [home.folder / name for name in _WRITTEN]
    secret = [home.secret] if with_secret else []
    for path in chain(secret, written, *folders):
        if path.is_file():
            yield path, f"home/{path.relative_to(home.folder).as_posix()}"


def _find_target(home: Home, name: str) -> Path | None:
    """Where a member belongs; None: nowhere."""
    parts = PurePosixPath(name).parts
    match parts:
        case ("home", file) if file in (*_WRITTEN, home.secret.name):
            return home.folder / file
        case ("home", folder, file) if folder in _FOLDERS and file not in ("..", "."):
            return home.folder / folder / file
    return None


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], time: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, io.SEEK_END)
    member.mtime, member.mode = time, 0o600
    content.seek(0)
    archive.addfile(member, content)


def _publish(draft: Path, file: Path) -> None:
    """Whole or not at all, and never over another backup."""
    try:
        file.hardlink_to(draft)
    except FileExistsError as error:
        raise Conflict(f"{file} is there already. Choose another name.") from error


def _open(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file, "r:gz")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Invalid(f"{file} cannot be read as a backup: {error}.") from error


def _open_member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        if member := archive.extractfile(name):
            return member
    except (KeyError, tarfile.TarError, OSError, EOFError) as error:
        raise Invalid(f"The backup is damaged: {name} cannot be read.") from error
    raise Invalid(f"The backup is damaged: {name} is no file.")


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        return _open_member(archive, name).read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Invalid(f"The backup is damaged: {name} cannot be read.") from error


def _read_note(archive: tarfile.TarFile) -> Note:
    try:
        note = msgspec.json.decode(_read(archive, _NOTE), type=Note)
    except msgspec.DecodeError as error:
        raise Invalid("The file is no backup of Cupola's.") from error
    if note.format > _FORMAT or note.schema > HEAD:
        raise Invalid(
            f"Cupola {note.version} wrote this backup; this is {__version__}. Restore it with that "
            "version or a later one."
        )
    return note
