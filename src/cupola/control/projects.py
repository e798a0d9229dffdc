"""`/projects`, and who belongs to each."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response, status
from pydantic import Field

from cupola.control.authority import Administrator, Caller, Governable, Readable
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.repetition import RepeatableRoute
from cupola.control.services import Parts, Services
from cupola.control.shapes import Asked, Line, Name, Time, Told, when
from cupola.control.users import Somebody, find_somebody
from cupola.control.versions import Expected, mark
from cupola.identity.model import User
from cupola.kit.errors import NotFound
from cupola.projects.model import Member, Project, Role
from cupola.projects.service import ReachableProject

router = APIRouter(tags=["projects"], route_class=RepeatableRoute)

MOST_CORES = 1_000_000
Quota = Annotated[int, Field(ge=0, le=MOST_CORES)] | None


class ProjectResource(Told):
    """The unit of tenancy: owns endpoints, subscriptions, keys and members."""

    name: str
    display_name: str
    core_quota: int | None = Field(
        description="Cores of its managed deployments together; null: as the installation has it."
    )
    created: Time
    version: int


class NewProject(Asked):
    """A project."""

    name: Name
    display_name: Line = ""
    core_quota: Quota = None


class ProjectEdits(Asked):
    """What is to change; what is left out stays. The quota is an administrator's to change."""

    display_name: Line | None = None
    core_quota: Quota = None


class MemberResource(Told):
    """A user's role in a project."""

    user: str = Field(description="The user's id.")
    name: str
    role: Role


class NewRole(Asked):
    """What a user is to be in a project."""

    role: Literal["reader", "inference-user", "developer", "owner"]


@router.get("/projects", summary="List the projects that you can reach")
async def list_projects(caller: Caller, services: Parts, page: AnyPage) -> Page[ProjectResource]:
    async def read(after: str, limit: int) -> list[Project]:
        return [*await services.projects.list_projects(caller, after=after, limit=limit)]

    return await page.fetch(read, lambda project: project.name, _show)


@router.post("/projects", status_code=status.HTTP_201_CREATED, summary="Make a project")
async def create_project(
    body: NewProject, by: Administrator, services: Parts, response: Response
) -> ProjectResource:
    """Whoever makes it is its owner."""
    made = await services.projects.create(
        by, body.name, display_name=body.display_name, core_quota=body.core_quota
    )
    mark(response, made.version)
    return _show(made)


@router.get("/projects/{project}", summary="Show a project")
async def get_project(project: Readable, response: Response) -> ProjectResource:
    mark(response, project.project.version)
    return _show(project.project)


@router.patch("/projects/{project}", summary="Change a project")
async def update_project(
    project: Governable,
    body: ProjectEdits,
    services: Parts,
    response: Response,
    expected: Expected,
) -> ProjectResource:
    wanted = {each: getattr(body, each) for each in body.model_fields_set}
    if wanted.get("display_name", "") is None:
        del wanted["display_name"]
    saved = await services.projects.update(project, expected, **wanted)
    mark(response, saved.version)
    return _show(saved)


@router.delete(
    "/projects/{project}", status_code=status.HTTP_204_NO_CONTENT, summary="Delete a project"
)
async def delete_project(project: Governable, services: Parts, expected: Expected) -> None:
    """Its members, subscriptions and keys go with it; endpoints must be deleted before."""
    async with services.work.transaction():
        await delete_whole(services, project, expected)
    services.fleet.wake()
    services.on_budgets()


async def delete_whole(
    services: Services, project: ReachableProject, expected: int | None = None
) -> None:
    """A project with all that belongs to it, within a unit of work. Raises: Conflict, if it has
    endpoints."""
    await services.endpoints.require_empty(project)
    keys = [key.id for key in await services.project_keys.list(project)]
    await services.projects.delete(project, expected)
    await services.belongings.drop_of_project(project.name, keys)


@router.get("/projects/{project}/members", tags=["members"], summary="List members")
async def list_members(project: Readable, services: Parts, page: AnyPage) -> Page[MemberResource]:
    members = await services.projects.list_members(project)
    names = {user.id: user.name for user in await services.users.list_users()}

    async def read(after: str, limit: int) -> list[Member]:
        return [*slice_after(members, lambda member: member.user, after, limit)]

    return await page.fetch(
        read,
        lambda member: member.user,
        lambda member: _show_member(member, names.get(member.user, member.user)),
    )


@router.put("/projects/{project}/members/{user}", tags=["members"], summary="Give a role")
async def put_member(
    project: Governable, user: Somebody, body: NewRole, services: Parts
) -> MemberResource:
    found = await find_somebody(services.users, user)
    member = await services.projects.put_member(project, found, Role(body.role))
    services.fleet.wake()
    return _show_member(member, found.name)


@router.delete(
    "/projects/{project}/members/{user}",
    tags=["members"],
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Remove a member",
)
async def remove_member(project: Governable, user: Somebody, services: Parts) -> None:
    found = await _find_member(services, project.name, user)
    await services.projects.remove_member(project, found)
    services.fleet.wake()


async def _find_member(services: Services, project: str, user: str) -> User:
    """With the same words for a user who is no member and for one who does not exist."""
    try:
        return await find_somebody(services.users, user)
    except NotFound:
        raise NotFound(f"{user!r} is no member of the project {project!r}.") from None


def _show(project: Project) -> ProjectResource:
    return ProjectResource(
        name=project.name,
        display_name=project.display_name,
        core_quota=project.core_quota,
        created=when(project.created),
        version=project.version,
    )


def _show_member(member: Member, name: str) -> MemberResource:
    return MemberResource(user=member.user, name=name, role=member.role)
