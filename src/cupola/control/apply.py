"""`POST /apply` and `GET /export`: the whole platform as one document.

A document is applied in one unit of work: all of it, or nothing. A dry run is the same work, taken
back at its end, so that it fails where applying would fail.
"""

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from cupola.control.authority import Administrator
from cupola.control.document import Platform
from cupola.control.drift import Change, Plan, find_drift
from cupola.control.enact import Enactor
from cupola.control.services import Parts, Services
from cupola.control.shapes import Told
from cupola.control.survey import survey, write_yaml
from cupola.control.yaml_text import read_document
from cupola.identity.model import Principal

router = APIRouter(tags=["platform"])

_YAML: Final = "application/yaml"
_SECTION: Final = {"type": "object", "description": "By name; see the platform document's schema."}
_DOCUMENT: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Platform",
    "required": ["version"],
    "properties": {
        "version": {"const": 1},
        "instance_types": _SECTION,
        "prices": {"type": "object", "description": "Of `models` and of `instance_types`."},
        "users": _SECTION,
        "projects": _SECTION,
    },
}
"""In outline: docs/reference/platform.schema.json has all of it."""
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _YAML: {"schema": {"type": "string"}},
            "application/json": {"schema": _DOCUMENT},
        },
    }
}


class DifferenceResource(Told):
    """One place in which what was differs from what is wanted."""

    path: list[str]
    before: Any = Field(description="Null: it was not.")
    after: Any = Field(description="Null: it is no more.")


class ChangeResource(Told):
    """What becomes of one thing."""

    action: Literal["create", "update", "delete", "unchanged"]
    kind: str = Field(examples=["endpoint"])
    name: str = Field(examples=["default/pilot"])
    diff: list[DifferenceResource]


class ChangesResource(Told):
    """What a document changed, or would change."""

    changes: list[ChangeResource]
    notes: list[str] = Field(description="What it cannot bring about, and what to do instead.")


class _TakenBack(Exception):
    """Ends a dry run, so that its unit of work leaves nothing behind."""


@router.post("/apply", summary="Make the platform as a document has it", openapi_extra=_BODY)
async def apply(
    request: Request,
    by: Administrator,
    services: Parts,
    dry_run: Annotated[bool, Query(description="Change nothing; say what would be.")] = False,
    prune: Annotated[
        bool, Query(description="Also delete what a section of the document does not have.")
    ] = False,
) -> ChangesResource:
    """The body is a platform document, YAML or JSON. Applying it again changes nothing."""
    wanted = await asyncio.to_thread(read_document, await request.body(), Platform)
    plan = await _carry_out(services, by, wanted, dry_run=dry_run, prune=prune)
    if not dry_run:
        await services.prices.refresh()
        services.fleet.wake()
        services.on_budgets()
    return ChangesResource(changes=[_show(each) for each in plan.changes], notes=[*plan.notes])


@router.get(
    "/export",
    summary="The platform as a document",
    response_class=Response,
    responses={200: {"content": {_YAML: {"schema": {"type": "string"}}}}},
)
async def export(
    by: Administrator,
    services: Parts,
    project: Annotated[
        str | None,
        Query(description="Only these projects, divided by commas.", max_length=4000),
    ] = None,
) -> Response:
    """It holds no secret: neither keys nor passwords."""
    only = None if project is None else [each for each in project.split(",") if each]
    platform = await survey(services, by, only)
    return Response(await asyncio.to_thread(write_yaml, platform), media_type=_YAML)


async def _carry_out(
    services: Services, by: Principal, wanted: Platform, *, dry_run: bool, prune: bool
) -> Plan:
    plan = Plan(())
    try:
        async with services.work.transaction():
            plan = find_drift(await survey(services, by), wanted, prune=prune)
            await Enactor(services, by, wanted).enact(plan)
            if dry_run:
                raise _TakenBack
    except _TakenBack:
        pass
    return plan


def _show(change: Change) -> ChangeResource:
    return ChangeResource(
        action=change.action.value,
        kind=change.kind,
        name=change.name,
        diff=[
            DifferenceResource(path=[*each.path], before=each.before, after=each.after)
            for each in change.diff
        ],
    )
