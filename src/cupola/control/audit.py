"""`/audit`: what was changed, by whom, from where."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from cupola.audit.model import AuditEntry
from cupola.control.authority import Administrator, Governable
from cupola.control.paging import AnyPage, Page, Paging
from cupola.control.services import Parts, Services
from cupola.control.shapes import Time, Told, when
from cupola.ids import ProjectName

router = APIRouter(tags=["audit"])


class AuditResource(Told):
    """A change. Lines are never changed or deleted."""

    sequence: int
    time: Time
    actor: str = Field(description="A user's name; `cupola`: the platform by itself.")
    action: str = Field(examples=["endpoints.create"])
    target: str
    project: str | None = Field(description="Null: it concerns the platform.")
    source: str = Field(description="An address, `console` or `cupola`.")
    before: dict[str, Any] | None = Field(description="What it was; null: it was not.")
    after: dict[str, Any] | None = Field(description="What it has become; null: it is no more.")


@router.get("/projects/{project}/audit", summary="The project's changes, newest first")
async def list_of_project(
    project: Governable, services: Parts, page: AnyPage
) -> Page[AuditResource]:
    return await _list(services, page, project.name)


@router.get("/audit", summary="All changes, newest first")
async def list_all(by: Administrator, services: Parts, page: AnyPage) -> Page[AuditResource]:
    return await _list(services, page, None)


async def _list(
    services: Services, page: Paging, project: ProjectName | None
) -> Page[AuditResource]:
    async def read(after: str, limit: int) -> list[AuditEntry]:
        return [*await services.audit.list(project, before=int(after or 0), limit=limit)]

    return await page.fetch(read, lambda entry: str(entry.sequence), _show)


def _show(entry: AuditEntry) -> AuditResource:
    return AuditResource(
        sequence=entry.sequence,
        time=when(entry.time),
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        project=entry.project,
        source=entry.source,
        before=None if entry.before is None else dict(entry.before),
        after=None if entry.after is None else dict(entry.after),
    )
