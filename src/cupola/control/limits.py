"""`.../limits`: what a project, an endpoint, a project key or an endpoint's own key may use.

An endpoint's requests and tokens per minute stand with the endpoint, where
`PATCH .../endpoints/{endpoint}` changes them too; its other limits stand beside those of projects
and keys.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, status
from msgspec import to_builtins
from pydantic import Field

from cupola.control.authority import Governable, Readable
from cupola.control.endpoints import EndpointName
from cupola.control.project_keys import KeyId
from cupola.control.services import Parts, Services
from cupola.control.shapes import Amount, Asked, Told
from cupola.deployments import model as deployments
from cupola.deployments.changes import Edits
from cupola.deployments.model import Endpoint, EndpointKind
from cupola.kit.errors import Malformed, NotFound
from cupola.kit.money import format_amount, parse_amount
from cupola.projects.service import ReachableProject
from cupola.quotas.model import MOST, Bound, Limits, Scope, ScopeKind, scope_of_own_key

router = APIRouter(tags=["limits"])

_MOST_A_MINUTE: Final = 10**12
_MOST_AT_ONCE: Final = 10**6
_Rate = Annotated[int, Field(ge=1, le=_MOST_A_MINUTE)] | None
_Tokens = Annotated[int, Field(ge=1, le=MOST)] | None
OwnKey = Annotated[
    Literal["primary", "secondary"], Path(description="Which of the endpoint's own two keys.")
]


class NewLimits(Asked):
    """All limits; null, or left out: no such limit."""

    requests_per_minute: _Rate = None
    tokens_per_minute: _Rate = None
    concurrent_requests: Annotated[int, Field(ge=1, le=_MOST_AT_ONCE)] | None = None
    tokens_per_day: _Tokens = None
    tokens_per_month: _Tokens = None
    money_per_month: Amount | None = Field(
        default=None, description="In the currency of the installation's prices.", examples=["50"]
    )

    def as_model(self) -> Limits:
        """Raises: Malformed."""
        money = None if self.money_per_month is None else parse_amount(self.money_per_month)
        if money is not None and money > MOST:
            raise Malformed(
                f"money_per_month: A limit is at most {format_amount(MOST)}.",
                path=("money_per_month",),
            )
        return Limits(
            self.requests_per_minute,
            self.tokens_per_minute,
            self.concurrent_requests,
            self.tokens_per_day,
            self.tokens_per_month,
            money,
        )


class LimitsResource(Told):
    """What may be used; null: no such limit. Days and months are those of UTC."""

    scope: ScopeKind
    subject: str = Field(
        description="The project's or endpoint's name; the project key's id, or that of an "
        "endpoint's own key, as `my-endpoint/primary`."
    )
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    tokens_per_day: int | None
    tokens_per_month: int | None
    money_per_month: Amount | None


@router.get("/projects/{project}/limits", summary="Show the project's limits")
async def show_of_project(project: Readable, services: Parts) -> LimitsResource:
    return await _show(services, _of_project(project))


@router.put("/projects/{project}/limits", summary="Limit the project")
async def put_of_project(project: Governable, body: NewLimits, services: Parts) -> LimitsResource:
    """What all its endpoints and keys may use together."""
    return await _put(services, project, _of_project(project), body.as_model())


@router.delete(
    "/projects/{project}/limits",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Limit the project no more",
)
async def delete_of_project(project: Governable, services: Parts) -> None:
    await _take_away(services, project, _of_project(project), Limits())


@router.get("/projects/{project}/endpoints/{endpoint}/limits", summary="Show an endpoint's limits")
async def show_of_endpoint(
    project: Readable, endpoint: EndpointName, services: Parts
) -> LimitsResource:
    return await _show(services, await _of_endpoint(services, project, endpoint))


@router.put("/projects/{project}/endpoints/{endpoint}/limits", summary="Limit an endpoint")
async def put_of_endpoint(
    project: Governable, endpoint: EndpointName, body: NewLimits, services: Parts
) -> LimitsResource:
    """Requests and tokens per minute are those that the endpoint itself shows."""
    wanted = body.as_model()
    subject = await _of_endpoint(services, project, endpoint)
    return await _put(services, project, subject, wanted)


@router.delete(
    "/projects/{project}/endpoints/{endpoint}/limits",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Give an endpoint its kind's limits again",
)
async def delete_of_endpoint(project: Governable, endpoint: EndpointName, services: Parts) -> None:
    """A serverless one has those of a minute that every new one has, others have none."""
    subject = await _of_endpoint(services, project, endpoint)
    assert subject.endpoint is not None
    shared = subject.endpoint.kind is EndpointKind.SERVERLESS
    usual = deployments.Limits() if shared else deployments.Limits(None, None)
    wanted = Limits(usual.requests_per_minute, usual.tokens_per_minute)
    await _take_away(services, project, subject, wanted)


@router.get("/projects/{project}/keys/{key}/limits", summary="Show a project key's limits")
async def show_of_key(project: Readable, key: KeyId, services: Parts) -> LimitsResource:
    return await _show(services, await _of_key(services, project, key))


@router.put("/projects/{project}/keys/{key}/limits", summary="Limit a project key")
async def put_of_key(
    project: Governable, key: KeyId, body: NewLimits, services: Parts
) -> LimitsResource:
    wanted = body.as_model()
    return await _put(services, project, await _of_key(services, project, key), wanted)


@router.delete(
    "/projects/{project}/keys/{key}/limits",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Limit a project key no more",
)
async def delete_of_key(project: Governable, key: KeyId, services: Parts) -> None:
    await _take_away(services, project, await _of_key(services, project, key), Limits())


_OWN_KEY: Final = "/projects/{project}/endpoints/{endpoint}/keys/{key}/limits"


@router.get(_OWN_KEY, summary="Show the limits of an endpoint's own key")
async def show_of_own_key(
    project: Readable, endpoint: EndpointName, key: OwnKey, services: Parts
) -> LimitsResource:
    return await _show(services, await _of_own_key(services, project, endpoint, key))


@router.put(_OWN_KEY, summary="Limit an endpoint's own key")
async def put_of_own_key(
    project: Governable, endpoint: EndpointName, key: OwnKey, body: NewLimits, services: Parts
) -> LimitsResource:
    """They stay when the key is regenerated, and go with the endpoint."""
    wanted = body.as_model()
    subject = await _of_own_key(services, project, endpoint, key)
    return await _put(services, project, subject, wanted)


@router.delete(
    _OWN_KEY,
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Limit an endpoint's own key no more",
)
async def delete_of_own_key(
    project: Governable, endpoint: EndpointName, key: OwnKey, services: Parts
) -> None:
    subject = await _of_own_key(services, project, endpoint, key)
    await _take_away(services, project, subject, Limits())


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is limited."""

    scope: Scope
    endpoint: Endpoint | None = None


def _of_project(project: ReachableProject) -> _Subject:
    return _Subject(Scope("project", project.name))


async def _of_endpoint(services: Services, project: ReachableProject, name: str) -> _Subject:
    endpoint = await services.endpoints.get(project, name)
    return _Subject(Scope("endpoint", endpoint.name), endpoint)


async def _of_key(services: Services, project: ReachableProject, key: str) -> _Subject:
    return _Subject(Scope("key", (await services.project_keys.get(project, key)).id))


async def _of_own_key(
    services: Services, project: ReachableProject, endpoint: str, key: str
) -> _Subject:
    found = await services.endpoints.get(project, endpoint)
    return _Subject(scope_of_own_key(found.name, key))


async def _find(services: Services, subject: _Subject) -> Limits:
    kept = await services.limits.find(subject.scope) or Limits()
    if subject.endpoint is None:
        return kept
    own = subject.endpoint.limits
    return replace(
        kept,
        requests_per_minute=own.requests_per_minute,
        tokens_per_minute=own.tokens_per_minute,
    )


async def _show(services: Services, subject: _Subject) -> LimitsResource:
    return _tell(subject.scope, await _find(services, subject))


async def put_limits(
    services: Services, project: ReachableProject, scope: Scope, wanted: Limits
) -> None:
    """All that is kept by this scope, in a unit of work; nothing, if it is so already."""
    subject = _Subject(scope)
    if await _find(services, subject) != wanted:
        await _put(services, project, subject, wanted)


async def _put(
    services: Services, project: ReachableProject, subject: _Subject, wanted: Limits
) -> LimitsResource:
    async with _changing(services, project, subject, wanted):
        kept = wanted
        if subject.endpoint is not None:
            await _put_own(services, project, subject.endpoint, wanted)
            kept = replace(wanted, requests_per_minute=None, tokens_per_minute=None)
        if kept == Limits():
            await services.limits.delete(subject.scope)
        else:
            await services.limits.put(Bound(subject.scope, kept))
    services.fleet.wake()
    return _tell(subject.scope, wanted)


async def _take_away(
    services: Services, project: ReachableProject, subject: _Subject, usual: Limits
) -> None:
    """Raises: NotFound, if there are none but the usual ones."""
    if await _find(services, subject) == usual:
        scope = subject.scope
        raise NotFound(f"The {scope.kind} {scope.id!r} has no limits of its own.")
    await _put(services, project, subject, usual)


@asynccontextmanager
async def _changing(
    services: Services, project: ReachableProject, subject: _Subject, wanted: Limits
) -> AsyncIterator[None]:
    """One unit of work, with its line in the audit log."""
    scope = subject.scope
    async with services.audit.change(
        project.by, "limits.put", f"{scope.kind} {scope.id}", project.name
    ) as change:
        change.before = _note(await _find(services, subject))
        change.after = _note(wanted)
        yield


async def _put_own(
    services: Services, project: ReachableProject, endpoint: Endpoint, wanted: Limits
) -> None:
    own = deployments.Limits(wanted.tokens_per_minute, wanted.requests_per_minute)
    if own != endpoint.limits:
        await services.endpoints.update(project, endpoint.name, Edits(limits=own))


def _note(limits: Limits) -> dict[str, Any]:
    """What the audit log keeps: those that there are."""
    values: dict[str, Any] = to_builtins(limits)
    if limits.money_per_month is not None:
        values["money_per_month"] = format_amount(limits.money_per_month)
    return {name: value for name, value in values.items() if value is not None}


def _tell(scope: Scope, limits: Limits) -> LimitsResource:
    money = limits.money_per_month
    return LimitsResource(
        scope=scope.kind,
        subject=scope.id,
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        concurrent_requests=limits.concurrent_requests,
        tokens_per_day=limits.tokens_per_day,
        tokens_per_month=limits.tokens_per_month,
        money_per_month=None if money is None else format_amount(money),
    )
