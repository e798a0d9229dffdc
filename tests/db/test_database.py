import asyncio
from contextlib import suppress

from sqlalchemy import insert, select

from cupola.db.database import Database
from cupola.db.tables import projects
from tests.patience import PATIENCE

_ROW = {"name": "one", "display_name": "", "created": 1, "version": 1}


async def _names(database: Database) -> list[str]:
    async with database.reading() as connection:
        found = await connection.execute(select(projects.c.name).order_by(projects.c.name))
        return [name for (name,) in found if name != "default"]


async def _add(database: Database, name: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(insert(projects).values(**_ROW | {"name": name}))


async def test_what_is_opened_inside_joins(database: Database):
    """A failure after two changes undoes both, and neither was ever to be seen."""
    with suppress(RuntimeError):
        async with database.transaction():
            await _add(database, "one")
            await _add(database, "two")

            assert ["one", "two"] == await _names(database)
            assert [] == await asyncio.wait_for(_names_apart(database), PATIENCE)
            raise RuntimeError

    assert [] == await _names(database)


async def _names_apart(database: Database) -> list[str]:
    """As somebody else sees it, who is in no transaction."""
    database._current.set(None)
    return await _names(database)


async def test_writers_take_turns(database: Database):
    """Twenty who each read and then write at once lose none of their changes."""

    async def count_up() -> None:
        async with database.transaction():
            known = await _names(database)
            await _add(database, f"n{len(known):02}")

    await asyncio.gather(*(count_up() for _ in range(20)))

    assert [f"n{number:02}" for number in range(20)] == await _names(database)


async def test_changes_are_counted(database: Database):
    """Whoever watches the number learns of every change, and of no reading."""
    before = await database.count_changes()
    await _add(database, "one")
    await _names(database)

    assert before + 1 == await database.count_changes()


async def test_notes_are_not_counted(database: Database):
    """What is noted every few seconds wakes nobody."""
    before = await database.count_changes()
    async with database.transaction(watched=False) as connection:
        await connection.execute(insert(projects).values(**_ROW))

    assert ["one"] == await _names(database)
    assert before == await database.count_changes()
