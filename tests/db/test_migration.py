import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect

from cupola.db import migration
from cupola.db.database import Database
from cupola.db.engine import open_engine
from cupola.db.migration import (
    HEAD,
    Part,
    SchemaTooNew,
    ensure_ledger,
    ensure_schema,
    find_revision,
)
from cupola.db.tables import ledger, metadata
from cupola.deployments.changes import make_endpoint
from cupola.deployments.model import EndpointKind
from cupola.deployments.schemas import get_keys
from cupola.deployments.store import SqlEndpoints
from cupola.ids import EndpointName, ModelName
from cupola.keys.memory import MemorySecret
from cupola.keys.service import Keyring
from tests.postgresql import Cluster


def test_new_database_has_the_newest_schema(tmp_path: Path):
    """A first start makes the database; a second finds nothing to do."""
    file = tmp_path / "cupola.db"
    ensure_schema(file)

    assert HEAD == find_revision(file)


def test_head_is_the_newest_revision():
    """`HEAD` was not forgotten when a revision was added."""
    folder = str(Path(migration.__file__).with_name("migrations"))

    assert HEAD == ScriptDirectory(folder).get_current_head()


@pytest.mark.parametrize("part", [Part.MAIN, Part.LEDGER])
def test_a_new_database_is_as_a_migrated_one(tmp_path: Path, part: Part):
    """Whether its tables were made at once or revision by revision: to the letter, rows too."""
    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    migration.create(made, part)
    migration.upgrade(migrated, "head", part)

    assert _describe(migrated) == _describe(made)
    migration.create(made, part)  # as of a server that came second: nothing is made twice
    assert HEAD == find_revision(made)


def _describe(file: Path) -> tuple[object, ...]:
    """Columns, indexes and foreign keys of each table, and how many rows there are."""
    engine = create_engine(f"sqlite:///{file}")
    found = []
    with engine.connect() as connection:
        seen = inspect(connection)
        for name in sorted(seen.get_table_names()):
            columns = [(c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(name)]
            unique = sorted(str(each) for each in seen.get_unique_constraints(name))
            indexes = sorted(str(each) for each in seen.get_indexes(name))
            foreign = sorted(str(each) for each in seen.get_foreign_keys(name))
            [rows] = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {name}").one()
            primary = seen.get_pk_constraint(name)["constrained_columns"]
            found.append((name, columns, primary, unique, indexes, foreign, rows))
        options = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%' ORDER BY name"
        ).all()
    engine.dispose()
    return (*found, options)


def test_migrations_make_the_tables_of_the_code(tmp_path: Path):
    """`tables` and the revisions describe the same schema."""
    migration.upgrade(tmp_path / "cupola.db", "head")
    engine = create_engine(f"sqlite:///{tmp_path / 'cupola.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert [] == differences


def test_ledger_has_its_part_of_the_schema(tmp_path: Path):
    """A ledger's own file has the ledger's tables, of the same revision, and no others."""
    file = tmp_path / "ledger.db"
    migration.upgrade(file, "head", Part.LEDGER)
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), ledger)
    engine.dispose()

    assert [] == differences
    assert HEAD == find_revision(file)
    ensure_ledger(file)  # which finds nothing to do


async def test_postgresql_has_both_parts(postgresql: Cluster):
    """One database of PostgreSQL has the tables of both."""
    engine = open_engine(postgresql.url("test1"))
    both = MetaData()
    for table in (*metadata.sorted_tables, *ledger.sorted_tables):
        table.to_metadata(both)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain), both)
        )
    await engine.dispose()

    assert [] == differences


async def test_endpoints_of_the_first_schema_live_on(tmp_path: Path):
    """They are what they were, in the default project, and callers' keys go on working."""
    file = tmp_path / "cupola.db"
    migration.upgrade(file, "0001")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO endpoints VALUES ('chat', 'serverless', 'M', 1000, 3, 2)")
        connection.commit()
    ensure_schema(file)
    database = Database(file)
    [endpoint] = await SqlEndpoints(database).list()
    await database.close()
    expected = make_endpoint(
        EndpointName("chat"), EndpointKind.SERVERLESS, ModelName("M"), created=1000
    )
    keyring = Keyring(MemorySecret(bytes(range(32))))

    assert endpoint == replace(expected, key_seed="", primary_generation=3, secondary_generation=2)
    assert "JDJxbqo8QxTR3jUnuNs9jMs0quxV11Qj" == get_keys(endpoint, keyring).primary


def test_project_keys_of_the_fourth_schema_live_on(tmp_path: Path):
    """Their table is made anew, and nothing in it is lost."""
    file = tmp_path / "cupola.db"
    migration.upgrade(file, "0004")
    user = "INSERT INTO users VALUES ('usr_a', 'ada', 'local', 0, 0, 0, NULL, NULL, NULL, 1)"
    key = ("key_1", "default", "ci", b"\0\xff", '["pilot"]', "usr_a", 5, None)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(user)
        connection.execute(f"INSERT INTO project_keys VALUES ({','.join('?' * 8)})", key)
        connection.commit()
    ensure_schema(file)

    with closing(sqlite3.connect(file)) as connection:
        assert [key] == connection.execute("SELECT * FROM project_keys").fetchall()


def test_later_schema_is_refused(tmp_path: Path):
    """A home that a later version wrote is left alone, with a message that says so."""
    file = tmp_path / "cupola.db"
    ensure_schema(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    with pytest.raises(SchemaTooNew, match="written by a later version"):
        ensure_schema(file)


@pytest.mark.parametrize("current", [True, False])
def test_only_an_old_schema_needs_alembic(tmp_path: Path, current: bool):
    """Neither an ordinary start nor the first pays for importing the migration tool."""
    file = tmp_path / "cupola.db"
    if current:
        ensure_schema(file)
    script = (
        "import sys; from pathlib import Path; from cupola.db.migration import ensure_schema;"
        "ensure_schema(Path(sys.argv[1])); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True
    )

    assert "False\n" == done.stdout
