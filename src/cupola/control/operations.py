"""`/operations/{id}`: work that goes on after its request was answered.

Nothing is kept of an operation: its id says what was asked for and of what, and how far that is
follows from what is stored and what runs. So it is there after a restart, too.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Path, Response
from pydantic import Field

from cupola.control.authority import Caller
from cupola.control.seal import LONGEST, NotOurs, Seal
from cupola.control.services import Parts, Services
from cupola.control.shapes import Time, Told, when
from cupola.control.states import State, read_deployment, read_endpoint
from cupola.deployments.changes import find_deployment
from cupola.deployments.model import DeploymentState, DeploymentStatus, Endpoint
from cupola.identity.model import Principal
from cupola.ids import EndpointName
from cupola.kit.errors import NotFound
from cupola.projects.model import Right

router = APIRouter(tags=["operations"])

_PURPOSE: Final = "operation"
ROOT: Final = "/management/v1"


class Kind(StrEnum):
    """What was asked for."""

    CREATE = "endpoints.create"
    UPDATE = "endpoints.update"
    DELETE = "endpoints.delete"
    PUT_DEPLOYMENT = "deployments.put"
    SCALE = "deployments.scale"
    DELETE_DEPLOYMENT = "deployments.delete"


class Status(StrEnum):
    """How far it is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Operation:
    """What an id says."""

    kind: Kind
    project: str
    endpoint: str
    made: int
    """When the endpoint was: another one of its name is another one."""
    created: int
    deployment: str = ""
    """Empty: the operation is the whole endpoint's."""
    revision: int = 0


class Outcome(NamedTuple):
    """How far an operation is."""

    status: Status
    reason: str = ""
    progress: float | None = None


class OperationResource(Told):
    """Work that goes on, or has ended."""

    id: str
    kind: Kind
    target: str = Field(description="The address of what is worked on, below this API's root.")
    status: Status
    progress: float | None = Field(description="0 to 1; null: not to be known.", ge=0, le=1)
    reason: str | None = Field(description="Why it is not done, and what to do.")
    created: Time
    ended: Time | None = Field(description="Null: it has not, or nobody knows when it did.")


def announce(
    response: Response, services: Services, kind: Kind, endpoint: Endpoint, deployment: str = ""
) -> None:
    """Say under which id the work may be followed."""
    known = find_deployment(endpoint, deployment)
    operation = Operation(
        kind=kind,
        project=endpoint.project,
        endpoint=endpoint.name,
        made=endpoint.created,
        created=int(services.clock.now()),
        deployment=deployment,
        revision=known.revision if known else 0,
    )
    response.headers["operation-location"] = f"{ROOT}/operations/{_close(services.seal, operation)}"


@router.get("/operations/{operation}", summary="How far is it?")
async def get_operation(
    operation: Annotated[
        str, Path(description="The end of `Operation-Location`.", max_length=LONGEST)
    ],
    caller: Caller,
    services: Parts,
) -> OperationResource:
    asked = _open(services.seal, operation)
    outcome = await _look(services, caller, asked)
    target = f"/projects/{asked.project}/endpoints/{asked.endpoint}"
    if asked.deployment:
        target += f"/deployments/{asked.deployment}"
    return OperationResource(
        id=operation,
        kind=asked.kind,
        target=target,
        status=outcome.status,
        progress=1.0 if outcome.status is Status.SUCCEEDED else outcome.progress,
        reason=outcome.reason or None,
        created=when(asked.created),
        ended=None,
    )


def judge(
    operation: Operation, endpoint: Endpoint | None, statuses: list[DeploymentStatus]
) -> Outcome:
    """How far an operation is, by what is wanted and what is."""
    if endpoint is None or endpoint.created != operation.made:
        return _judge_gone(operation, statuses if endpoint is None else [])
    if operation.kind is Kind.DELETE:
        return Outcome(Status.FAILED, "It is still there. Delete it again.")
    if not operation.deployment:
        return _judge_endpoint(endpoint, statuses)
    deployment = find_deployment(endpoint, operation.deployment)
    if operation.kind is Kind.DELETE_DEPLOYMENT:
        left = [each for each in statuses if each.deployment == operation.deployment]
        return Outcome(Status.RUNNING, left[0].reason) if left else Outcome(Status.SUCCEEDED)
    if deployment is None:
        return Outcome(Status.CANCELLED, "The deployment was deleted meanwhile.")
    if deployment.revision > operation.revision:
        said = deployment.outcome or "Another change of the deployment came after it."
        return Outcome(Status.FAILED if deployment.outcome else Status.CANCELLED, said)
    if deployment.outcome:
        return Outcome(Status.FAILED, deployment.outcome)
    return _judge_deployment(read_deployment(deployment, statuses))


def _judge_gone(operation: Operation, statuses: list[DeploymentStatus]) -> Outcome:
    if operation.kind is not Kind.DELETE:
        return Outcome(Status.CANCELLED, "The endpoint was deleted meanwhile.")
    if statuses:
        return Outcome(Status.RUNNING, "Its instances are being stopped.")
    return Outcome(Status.SUCCEEDED)


def _judge_endpoint(endpoint: Endpoint, statuses: list[DeploymentStatus]) -> Outcome:
    condition = read_endpoint(endpoint, statuses)
    match condition.state:
        case State.READY:
            return Outcome(Status.SUCCEEDED)
        case State.FAILED | State.STOPPED:
            return Outcome(Status.FAILED, condition.reason)
        case _:
            return Outcome(Status.RUNNING, condition.reason, condition.progress)


def _judge_deployment(status: DeploymentStatus) -> Outcome:
    match status.state:
        case DeploymentState.READY | DeploymentState.SCALED_TO_ZERO:
            return Outcome(Status.SUCCEEDED)
        case DeploymentState.FAILED | DeploymentState.STOPPED:
            return Outcome(Status.FAILED, status.reason)
        case _:
            return Outcome(Status.RUNNING, status.reason, status.progress)


async def _look(services: Services, caller: Principal, asked: Operation) -> Outcome:
    project = await services.projects.reach(caller, asked.project, Right.READ)
    try:
        endpoint = await services.endpoints.get(project, asked.endpoint)
    except NotFound:
        endpoint = None
    # A name that another project has taken meanwhile is none of ours to look at.
    foreign = endpoint is None and await services.endpoints.is_taken(asked.endpoint)
    name = endpoint.name if endpoint else asked.endpoint
    statuses = [] if foreign else services.fleet.describe(EndpointName(name))
    return judge(asked, endpoint, list(statuses))


def _close(seal: Seal, operation: Operation) -> str:
    return seal.close(
        _PURPOSE,
        [
            operation.kind.value,
            operation.project,
            operation.endpoint,
            operation.made,
            operation.created,
            operation.deployment,
            operation.revision,
        ],
    )


def _open(seal: Seal, text: str) -> Operation:
    try:
        kind, project, endpoint, made, created, deployment, revision = seal.open(_PURPOSE, text)
    except NotOurs:
        raise NotFound("There is no such operation.") from None
    return Operation(
        Kind(str(kind)),
        str(project),
        str(endpoint),
        int(made),
        int(created),
        str(deployment),
        int(revision),
    )
