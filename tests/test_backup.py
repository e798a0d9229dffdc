import gzip
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, insert, select

from cupola.backup import Source, restore_backup, write_backup
from cupola.db.database import Database
from cupola.db.engine import Location
from cupola.db.migration import ensure_ledger
from cupola.db.tables import audit, ledger, metadata, prices, sessions, users
from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import EndpointKind
from cupola.deployments.store import SqlEndpoints
from cupola.home import Home
from cupola.ids import EndpointName, ModelName
from cupola.keys.store import SecretFile
from cupola.kit.clock import FakeClock
from cupola.kit.errors import Conflict, Invalid
from cupola.metering.ports import RecordStore
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.sqlite import SqliteRecords
from tests.metering.samples import record
from tests.postgresql import Cluster

ENDPOINT = make_endpoint(EndpointName("chat"), EndpointKind.SERVERLESS, ModelName("M"), 7, "sed")
_ADA = {
    **{"id": "usr_1", "name": "ada", "origin": "local", "created": 1, "version": 1},
    **{"administrator": True, "disabled": False},
}
_SESSION = {
    **{"id": "ses_1", "digest": bytes(range(32)), "user": "usr_1", "label": "", "created": 1},
    **{"expires": 2, "scopes": ["read"]},
}
_LINE = {
    **{"time": 1.5, "actor": "ada", "action": "endpoints.create", "target": "chat"},
    **{"source": "console", "after": {"name": "chat"}},
}

_PRICE = {
    **{"of": "model", "name": "M", "currency": "EUR", "valid_from": 1},
    **{"input": 1, "output": 2, "hour": 0},
}


@pytest.fixture
async def source(tmp_path: Path, location: Location) -> Source:
    """An installation with something of everything in it."""
    home = Home(tmp_path / "home")
    home.prepare()
    SecretFile(home.secret).ensure_secret()
    (home.folder / "upstreams.toml").write_text("# mine\n")
    (home.folder / "models.d").mkdir()
    (home.folder / "models.d" / "Own.toml").write_text("# own\n")
    (home.models / "big.gguf").write_bytes(b"weights")
    database = Database(location)
    await SqlEndpoints(database).add(ENDPOINT)
    async with database.transaction() as connection:
        await connection.execute(insert(users).values(**_ADA))
        await connection.execute(insert(sessions).values(**_SESSION))
        await connection.execute(insert(audit).values(**_LINE))
        await connection.execute(insert(prices).values(**_PRICE))
    await database.close()
    await _use(Source(home, location), "first")
    return Source(home, location)


async def _use(source: Source, request: str) -> None:
    """A record more in the installation's ledger."""
    records: RecordStore
    if isinstance(source.ledger, Path):
        ensure_ledger(source.ledger)
        records = SqliteRecords(source.ledger)
    else:
        records = PostgresqlRecords(source.ledger)
    await records.write([record(request=request)])
    await records.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """Nothing yet."""
    home = Home(tmp_path / "other")
    if request.param == "sqlite":
        return Source(home, home.database)
    server: Cluster = request.getfixturevalue("postgresql")
    return Source(home, server.create())


async def test_what_was_backed_up_comes_back(source: Source, empty: Source, tmp_path: Path):
    """Every row and every file, from either kind of database into either; and no weights."""
    file = tmp_path / "all.backup"
    await write_backup(source, file, FakeClock(), with_secret=True)
    note = restore_backup(empty, file)

    assert note.has_secret
    assert await _read_all(source.location) == await _read_all(empty.location)
    assert await _read_all(source.ledger, ledger) == await _read_all(empty.ledger, ledger)
    for name in ("secret.key", "upstreams.toml", "models.d/Own.toml"):
        restored = empty.home.folder / name
        assert (source.home.folder / name).read_bytes() == restored.read_bytes()
        assert 0o600 == restored.stat().st_mode & 0o777
    assert [] == list(empty.home.models.iterdir())


async def test_the_audit_log_goes_on(source: Source, empty: Source, tmp_path: Path):
    """What is appended after a restoration comes after what was restored."""
    await write_backup(source, tmp_path / "b", FakeClock(), with_secret=True)
    restore_backup(empty, tmp_path / "b")
    database = Database(empty.location)
    async with database.transaction() as connection:
        await connection.execute(insert(audit).values(**_LINE))
        found = await connection.execute(select(audit.c.sequence).order_by(audit.c.sequence))
        numbers = [number for (number,) in found]
    await database.close()

    await _use(empty, "first")  # which is there already
    await _use(empty, "second")
    rows = (await _read_all(empty.ledger, ledger))["usage_records"]

    assert [1, 2] == numbers
    assert ["first", "second"] == [row.request for row in rows]


async def test_backup_is_closed_to_others_and_never_overwritten(source: Source, tmp_path: Path):
    """It holds the secret; and a slip of the pen does not cost the last good one."""
    file = tmp_path / "all.backup"
    await write_backup(source, file, FakeClock(), with_secret=True)
    before = file.read_bytes()

    assert 0o600 == file.stat().st_mode & 0o777
    with pytest.raises(Conflict, match="there already"):
        await write_backup(source, file, FakeClock(), with_secret=True)
    assert before == file.read_bytes()
    assert [] == [path for path in _list(tmp_path) if path.startswith(".all")]


async def test_without_secret(source: Source, empty: Source, tmp_path: Path):
    """The one file that opens everything can be kept apart."""
    await write_backup(source, tmp_path / "b", FakeClock(), with_secret=False)
    with tarfile.open(tmp_path / "b") as archive:
        assert "home/secret.key" not in archive.getnames()
    note = restore_backup(empty, tmp_path / "b")

    assert not note.has_secret
    assert not empty.home.secret.exists()


async def test_restoring_over_something_is_refused(source: Source, tmp_path: Path):
    """Nothing of what is there is lost."""
    await write_backup(source, tmp_path / "b", FakeClock(), with_secret=True)
    before = await _read_all(source.location)
    with pytest.raises(Conflict, match="already"):
        restore_backup(source, tmp_path / "b")

    assert before == await _read_all(source.location)


@pytest.mark.parametrize("content", [b"", b"no tar", gzip.compress(b"x" * 2000)], ids=len)
def test_what_is_no_backup_is_refused(content: bytes, tmp_path: Path):
    """And nothing is made of it."""
    (tmp_path / "b").write_bytes(content)
    home = Home(tmp_path / "other")
    with pytest.raises(Invalid):
        restore_backup(Source(home, home.database), tmp_path / "b")

    assert not home.database.exists()


@pytest.mark.parametrize("damaged", ["rows.jsonl", "ledger.jsonl"])
async def test_damaged_rows_leave_nothing(
    damaged: str, source: Source, empty: Source, tmp_path: Path
):
    """A restoration that fails can be tried again with a better file."""
    await write_backup(source, tmp_path / "good", FakeClock(), with_secret=True)
    with tarfile.open(tmp_path / "good") as good, tarfile.open(tmp_path / "bad", "w:gz") as bad:
        for member in good:
            content = good.extractfile(member)
            if member.name == damaged:
                member.size -= 20
            bad.addfile(member, content)
    with pytest.raises(Invalid, match="Line"):
        restore_backup(empty, tmp_path / "bad")
    restore_backup(empty, tmp_path / "good")

    assert await _read_all(source.location) == await _read_all(empty.location)


def test_members_with_other_names_are_left_where_they_are(tmp_path: Path):
    """A crafted file writes nothing outside the home, nor anything unknown into it."""
    home = Home(tmp_path / "other")
    names = ["../evil", "home/../../evil", "home/models.d/../../evil", "home/run/evil", "/evil"]
    with tarfile.open(tmp_path / "b", "w:gz") as archive:
        for name, content in [
            ("backup.json", _NOTE),
            ("rows.jsonl", b""),
            *((n, b"") for n in names),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            (tmp_path / "content").write_bytes(content)
            with (tmp_path / "content").open("rb") as file:
                archive.addfile(member, file)
    restore_backup(Source(home, home.database), tmp_path / "b")

    assert [] == [path for path in tmp_path.rglob("*") if path.name == "evil"]


_NOTE = b'{"format": 1, "version": "0", "schema": "0002", "time": 1, "has_secret": false}'


async def test_backup_of_the_first_schema(empty: Source, tmp_path: Path):
    """Rows of an older schema go into that schema, and are migrated from there."""
    row = (
        b'{"table": "endpoints", "row": {"name": "chat", "kind": "serverless", "model": "M",'
        b' "created": 7, "primary_generation": 1, "secondary_generation": 1}}\n'
    )
    note = _NOTE.replace(b"0002", b"0001")
    with tarfile.open(tmp_path / "b", "w:gz") as archive:
        for name, content in (("backup.json", note), ("rows.jsonl", row)):
            (tmp_path / name).write_bytes(content)
            archive.add(tmp_path / name, name)
    restore_backup(empty, tmp_path / "b")
    database = Database(empty.location)
    found = await SqlEndpoints(database).list()
    await database.close()

    assert [replace(ENDPOINT, key_seed="")] == found


async def _read_all(location: Location, of: MetaData = metadata) -> Mapping[str, Sequence[Any]]:
    database = Database(location)
    async with database.reading() as connection:
        rows = {
            table.name: (await connection.execute(select(table))).all()
            for table in of.sorted_tables
        }
    await database.close()
    return rows


def _list(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())
