"""`/projects/{project}/keys`: keys for several endpoints of a project."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, status
from pydantic import AwareDatetime, Field

from cupola.control.authority import Deployable, Readable
from cupola.control.paging import AnyPage, Page
from cupola.control.repetition import RepeatableRoute, show_once
from cupola.control.services import Parts, Services
from cupola.control.shapes import Asked, Line, Name, Time, Told, when, when_if
from cupola.identity.console import CONSOLE
from cupola.ids import EndpointName
from cupola.keys.model import ProjectKey
from cupola.kit.errors import Malformed, NotFound
from cupola.projects.service import ReachableProject

router = APIRouter(tags=["project keys"], route_class=RepeatableRoute)

_LAST_YEAR = 9000
KeyId = Annotated[str, Path(description="A key's id.", examples=["key_0a1b2c"], max_length=100)]


class ProjectKeyResource(Told):
    """A key for several endpoints; it can do no more than whoever made it."""

    id: str
    name: str
    endpoints: list[str] | None = Field(description="Null: all of the project, also later ones.")
    made_by: str = Field(
        description="The id of the user with whom it lives and dies; `console`: of none."
    )
    created: Time
    expires: Time | None


class MadeProjectKey(ProjectKeyResource):
    """A new key, shown this once."""

    key: str | None = Field(description="What callers send; null where the request is a repeated.")


class NewProjectKey(Asked):
    """A key."""

    name: Annotated[Line, Field(min_length=1)] = Field(examples=["nightly batch"])
    endpoints: list[Name] | None = Field(
        default=None, max_length=100, description="Those it may call; null: all of the project."
    )
    expires: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        default=None, description="Null: never.", examples=["2027-01-01T00:00:00Z"]
    )


@router.get("/projects/{project}/keys", summary="List project keys")
async def list_keys(project: Readable, services: Parts, page: AnyPage) -> Page[ProjectKeyResource]:
    async def read(after: str, limit: int) -> list[ProjectKey]:
        return [*await services.project_keys.list(project, after=after, limit=limit)]

    return await page.fetch(
        read, lambda key: key.name, lambda key: ProjectKeyResource(**_show(key))
    )


@router.post(
    "/projects/{project}/keys", status_code=status.HTTP_201_CREATED, summary="Make a project key"
)
async def create_key(
    project: Deployable, body: NewProjectKey, services: Parts, request: Request
) -> MadeProjectKey:
    """The key is in this reply and nowhere else: a repetition under the same `Idempotency-Key` has
    null in its place."""
    show_once(request, "key")
    async with services.work.transaction():
        endpoints = await _find_endpoints(project, services, body.endpoints)
        key, text = await services.project_keys.create(
            project, body.name, endpoints=endpoints, expires=_read_expiry(body.expires)
        )
    services.fleet.wake()
    return MadeProjectKey(**_show(key), key=text)


@router.delete(
    "/projects/{project}/keys/{key}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Revoke a project key",
)
async def delete_key(project: Deployable, key: KeyId, services: Parts) -> None:
    async with services.work.transaction():
        await services.project_keys.delete(project, key)
        await services.belongings.drop_of_key(project.name, key)
    services.fleet.wake()
    services.on_budgets()


async def _find_endpoints(
    project: ReachableProject, services: Services, names: list[str] | None
) -> list[EndpointName] | None:
    """Raises: Malformed, for one that the project does not have."""
    if names is None:
        return None
    found = []
    for index, name in enumerate(names):
        try:
            found.append((await services.endpoints.get(project, name)).name)
        except NotFound as error:
            raise Malformed(error.public, path=("endpoints", index)) from error
    return found


def _read_expiry(expires: datetime | None) -> int | None:
    if expires is None:
        return None
    if expires.year > _LAST_YEAR:
        raise Malformed("Leave 'expires' out for a key that never does.", path=("expires",))
    return int(expires.timestamp())


def _show(key: ProjectKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "endpoints": None if key.endpoints is None else list(key.endpoints),
        "made_by": key.made_by or CONSOLE.id,
        "created": when(key.created),
        "expires": when_if(key.expires),
    }
