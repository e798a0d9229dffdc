"""Every `AuditStore`, and every `UnitOfWork`, keeps these promises."""

from dataclasses import replace

import pytest

from cupola.audit.memory import MemoryAudit
from cupola.audit.model import AuditEntry
from cupola.audit.ports import AuditStore
from cupola.audit.service import Audit
from cupola.audit.store import SqlAudit
from cupola.db.database import Database
from cupola.ids import ProjectName
from cupola.kit.clock import FakeClock

ENTRY = AuditEntry(
    time=1000.25,
    actor="ada",
    action="endpoints.create",
    target="pilot",
    project=ProjectName("alpha"),
    source="10.0.0.7",
    before=None,
    after={"name": "pilot", "tags": {"team": "blue"}, "expires": None},
)


@pytest.fixture
def store(backing: Database | None) -> AuditStore:
    return MemoryAudit() if backing is None else SqlAudit(backing)


async def test_lines_are_kept_as_they_were(store: AuditStore):
    """Each with a number above all before it, newest first."""
    await store.append(ENTRY)
    await store.append(replace(ENTRY, before=ENTRY.after, after=None, project=None))
    second, first = await store.list()

    assert replace(ENTRY, sequence=first.sequence) == first
    assert replace(first, before=first.after, after=None, project=None) == replace(
        second, sequence=first.sequence
    )
    assert 0 < first.sequence < second.sequence


async def test_pages_go_back_in_time(store: AuditStore):
    """From the end, or from before a line."""
    for number in range(5):
        await store.append(replace(ENTRY, target=str(number)))
    newest = await store.list(limit=2)
    rest = await store.list(before=newest[-1].sequence, limit=10)

    assert ["4", "3"] == [each.target for each in newest]
    assert ["2", "1", "0"] == [each.target for each in rest]
    assert [] == await store.list(before=rest[-1].sequence)


async def test_a_project_has_its_own_lines(store: AuditStore):
    """Those of others, and of the platform, are not among them."""
    await store.append(ENTRY)
    await store.append(replace(ENTRY, project=ProjectName("beta")))
    await store.append(replace(ENTRY, project=None))

    assert 3 == len(await store.list())
    assert [ENTRY.target] == [each.target for each in await store.list(project=ENTRY.project)]


async def test_a_failed_change_leaves_no_line(database: Database):
    """Nor a change without its line: both are one unit of work."""
    audit = Audit(SqlAudit(database), database, FakeClock())

    async def fail() -> None:
        async with audit.change(None, "endpoints.create", "outer"):
            async with audit.change(None, "projects.create", "inner") as change:
                change.after = {"name": "inner"}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert [] == await audit.list()


async def test_nothing_changed_is_nothing_told(database: Database):
    """A line says what became different."""
    audit = Audit(SqlAudit(database), database, FakeClock(1000.5))
    async with audit.change(None, "projects.update", "alpha") as change:
        change.before = change.after = {"name": "alpha"}
    async with audit.change(None, "projects.update", "alpha") as change:
        change.before, change.after = {"name": "alpha"}, {"name": "beta"}
    [line] = await audit.list()

    assert ("cupola", "cupola", 1000.5) == (line.actor, line.source, line.time)
