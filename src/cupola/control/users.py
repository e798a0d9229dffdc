"""`/users`: the people who may sign in, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import Field, StringConstraints

from cupola.control.authority import Administrator
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.ports import Users
from cupola.control.repetition import RepeatableRoute
from cupola.control.services import Parts
from cupola.control.shapes import Asked, Line, Time, Told, when
from cupola.control.versions import Expected, mark, require
from cupola.identity.model import Origin, User
from cupola.ids import UserId
from cupola.kit.errors import NotFound

router = APIRouter(tags=["users"], route_class=RepeatableRoute)

Somebody = Annotated[
    str, Path(description="A user's id or name.", examples=["ada"], max_length=200)
]
_ID_PREFIX = "usr_"


class UserResource(Told):
    """A person who may sign in."""

    id: str
    name: str
    origin: Origin = Field(description="`local`: with a password; `oidc`: through a provider.")
    administrator: bool
    disabled: bool
    created: Time
    version: int


class NewUser(Asked):
    """A local user."""

    name: Line = Field(examples=["ada"])
    password: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="Null: cannot sign in until one is set."
    )
    administrator: bool = False


class UserEdits(Asked):
    """What is to change; what is left out stays."""

    administrator: bool | None = None
    disabled: bool | None = None
    password: Annotated[str, StringConstraints(max_length=1000)] | None = None


async def find_somebody(users: Users, somebody: str) -> User:
    """The user of this id or name. Raises: NotFound."""
    if somebody.startswith(_ID_PREFIX):
        return await users.get_user(UserId(somebody))
    found = await users.find_named(somebody)
    if found is None:
        raise NotFound(f"There is no user {somebody!r}.")
    return found


@router.get("/users", summary="List users")
async def list_users(by: Administrator, services: Parts, page: AnyPage) -> Page[UserResource]:
    everybody = await services.users.list_users()

    async def read(after: str, limit: int) -> list[User]:
        return [*slice_after(everybody, lambda user: user.name, after, limit)]

    return await page.fetch(read, lambda user: user.name, show_user)


@router.post("/users", status_code=status.HTTP_201_CREATED, summary="Add a local user")
async def create_user(
    body: NewUser, by: Administrator, services: Parts, response: Response
) -> UserResource:
    async with services.audit.change(by, "users.create", body.name) as change:
        user = await services.users.create_user(
            body.name, body.password, administrator=body.administrator
        )
        change.after = _tell(user)
    mark(response, user.version)
    return show_user(user)


@router.get("/users/{user}", summary="Show a user")
async def get_user(
    user: Somebody, by: Administrator, services: Parts, response: Response
) -> UserResource:
    found = await find_somebody(services.users, user)
    mark(response, found.version)
    return show_user(found)


@router.patch("/users/{user}", summary="Change a user")
async def update_user(
    user: Somebody,
    body: UserEdits,
    by: Administrator,
    services: Parts,
    response: Response,
    expected: Expected,
) -> UserResource:
    """Someone who is disabled, and every token and project key of theirs, is nobody at once."""
    users = services.users
    known = await find_somebody(users, user)
    async with services.audit.change(by, "users.update", known.name) as change:
        found = before = await users.get_user(known.id)
        require(expected, before.version, f"The user {before.name!r}")
        if body.administrator not in (None, before.administrator):
            found = await users.set_administrator(before.id, body.administrator)
        if body.disabled not in (None, before.disabled):
            found = await users.disable(before.id, body.disabled)
        if body.password is not None:
            found = await users.set_password(before.id, body.password)
        change.before = _tell(before)
        change.after = {**_tell(found), "password_changed": True} if body.password else _tell(found)
    services.fleet.wake()
    mark(response, found.version)
    return show_user(found)


@router.delete("/users/{user}", summary="Disable a user")
async def disable_user(
    user: Somebody, by: Administrator, services: Parts, expected: Expected
) -> UserResource:
    """Users are never forgotten, because the audit log names them; they can be enabled again."""
    known = await find_somebody(services.users, user)
    async with services.audit.change(by, "users.disable", known.name) as change:
        before = await services.users.get_user(known.id)
        require(expected, before.version, f"The user {before.name!r}")
        found = before if before.disabled else await services.users.disable(before.id)
        change.before, change.after = _tell(before), _tell(found)
    services.fleet.wake()
    return show_user(found)


def show_user(user: User) -> UserResource:
    """A user as replies tell of them."""
    return UserResource(
        id=user.id,
        name=user.name,
        origin=user.origin,
        administrator=user.administrator,
        disabled=user.disabled,
        created=when(user.created),
        version=user.version,
    )


def _tell(user: User) -> dict[str, object]:
    """What the audit log keeps of a user."""
    return {
        "id": user.id,
        "name": user.name,
        "administrator": user.administrator,
        "disabled": user.disabled,
    }
