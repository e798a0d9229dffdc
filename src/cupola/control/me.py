"""`/me`: who asks."""

from fastapi import APIRouter
from pydantic import Field

from cupola.control.authority import Caller
from cupola.control.services import Parts
from cupola.control.shapes import Told
from cupola.control.users import UserResource, show_user
from cupola.projects.model import Right, Role

router = APIRouter(tags=["me"])


class Membership(Told):
    """A project, and what the caller is in it."""

    name: str
    role: Role


class Me(Told):
    """The caller."""

    user: UserResource
    administrator: bool = Field(description="Of the platform: may do everything everywhere.")
    scopes: list[str] | None = Field(
        description="Rights beyond which this token cannot go; null: those of its user.",
        examples=[[Right.READ.value, Right.CALL.value]],
    )
    projects: list[Membership]


@router.get("/me", summary="Who am I?")
async def show(caller: Caller, services: Parts) -> Me:
    roles = await services.projects.list_roles(caller)
    return Me(
        user=show_user(caller.user),
        administrator=caller.user.administrator,
        scopes=None if caller.scopes is None else sorted(caller.scopes),
        projects=[Membership(name=each.project, role=each.role) for each in roles],
    )
