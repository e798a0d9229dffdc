"""`/projects/{project}/endpoints/{endpoint}/deployments`: the models behind an endpoint."""

from typing import Annotated

from fastapi import APIRouter, Path, Response, status

from cupola.control.authority import Deployable, Readable
from cupola.control.endpoint_shapes import (
    DeploymentEdits,
    DeploymentResource,
    NewDeployment,
    show_deployment,
)
from cupola.control.endpoints import EndpointName, get_model
from cupola.control.operations import Kind, announce
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.services import Parts, Services
from cupola.control.versions import Expected, mark, require
from cupola.deployments.changes import get_deployment
from cupola.deployments.model import Deployment, Endpoint, EndpointKind, Scale, Spec
from cupola.kit.errors import Malformed
from cupola.projects.service import ReachableProject

router = APIRouter(tags=["deployments"])

AnyDeployment = Annotated[
    str, Path(description="A deployment's name.", examples=["blue"], max_length=200)
]
_ROOT = "/projects/{project}/endpoints/{endpoint}/deployments"


@router.get(_ROOT, summary="List deployments")
async def list_deployments(
    project: Readable, endpoint: EndpointName, services: Parts, page: AnyPage
) -> Page[DeploymentResource]:
    found = await services.endpoints.get(project, endpoint)

    async def read(after: str, limit: int) -> list[Deployment]:
        return [*slice_after(found.deployments, lambda each: each.name, after, limit)]

    return await page.fetch(read, lambda each: each.name, lambda each: _show(services, found, each))


@router.get(_ROOT + "/{deployment}", summary="Show a deployment")
async def show(
    project: Readable,
    endpoint: EndpointName,
    deployment: AnyDeployment,
    services: Parts,
    response: Response,
) -> DeploymentResource:
    """The ETag is the endpoint's: it changes as a whole."""
    found = await services.endpoints.get(project, endpoint)
    mark(response, found.version)
    return _show(services, found, get_deployment(found, deployment))


@router.put(
    _ROOT + "/{deployment}",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Make or replace a deployment",
)
async def put(
    project: Deployable,
    endpoint: EndpointName,
    deployment: AnyDeployment,
    body: NewDeployment,
    services: Parts,
    response: Response,
    expected: Expected,
) -> DeploymentResource:
    """A new one gets no requests until it has a share of the traffic. A changed one is rolled out:
    what was there answers until the new replicas do, and stays if they do not."""
    model = get_model(services, body.model)
    spec = Spec(model.name, body.quantisation, body.slots, body.context_length)
    scale = Scale(body.instances, body.instances, body.instance_type)
    saved = await services.endpoints.put_deployment(
        project, endpoint, deployment, model, spec, scale, expected=expected
    )
    return _answer(response, services, saved, deployment, Kind.PUT_DEPLOYMENT)


@router.patch(
    _ROOT + "/{deployment}", status_code=status.HTTP_202_ACCEPTED, summary="Change a deployment"
)
async def update(
    project: Deployable,
    endpoint: EndpointName,
    deployment: AnyDeployment,
    body: DeploymentEdits,
    services: Parts,
    response: Response,
    expected: Expected,
) -> DeploymentResource:
    async with services.work.transaction():
        before = await services.endpoints.get(project, endpoint)
        require(expected, before.version, f"The endpoint {endpoint!r}")
        known = get_deployment(before, deployment)
        scale = _rescale(before, known, body)
        spec = _respecify(known, body)
        if spec != known.spec:
            saved = await _respecified(project, services, before, known, spec, scale)
        else:
            saved = await services.endpoints.set_scale(project, endpoint, deployment, scale)
    services.fleet.wake()
    kind = Kind.PUT_DEPLOYMENT if spec != known.spec else Kind.SCALE
    return _answer(response, services, saved, deployment, kind)


@router.delete(
    _ROOT + "/{deployment}", status_code=status.HTTP_202_ACCEPTED, summary="Delete a deployment"
)
async def delete(
    project: Deployable,
    endpoint: EndpointName,
    deployment: AnyDeployment,
    services: Parts,
    response: Response,
    expected: Expected,
) -> DeploymentResource:
    """Not the last one, and none that gets requests."""
    before = await services.endpoints.get(project, endpoint)
    gone = get_deployment(before, deployment)
    saved = await services.endpoints.delete_deployment(
        project, endpoint, deployment, expected=expected
    )
    announce(response, services, Kind.DELETE_DEPLOYMENT, saved, deployment)
    return _show(services, before, gone)


async def _respecified(
    project: ReachableProject,
    services: Services,
    endpoint: Endpoint,
    known: Deployment,
    spec: Spec,
    scale: Scale,
) -> Endpoint:
    model = get_model(services, spec.model)
    return await services.endpoints.put_deployment(
        project, endpoint.name, known.name, model, spec, scale
    )


def _respecify(known: Deployment, body: DeploymentEdits) -> Spec:
    spec = known.spec
    return Spec(
        model=spec.model if body.model is None else type(spec.model)(body.model),
        quantisation=body.quantisation or spec.quantisation,
        slots=body.slots or spec.slots,
        context_length=body.context_length or spec.context_length,
    )


def _rescale(endpoint: Endpoint, known: Deployment, body: DeploymentEdits) -> Scale:
    """Raises: Malformed, for fields that mean nothing for this kind of endpoint."""
    managed = endpoint.kind is EndpointKind.MANAGED
    strange = ("min_replicas", "max_replicas") if managed else ("instances", "instance_type")
    for field in strange:
        if getattr(body, field) is not None:
            raise Malformed(
                f"{field}: A {endpoint.kind.value} deployment has none. Leave it out.",
                path=(field,),
            )
    scale = known.scale
    if managed:
        count = scale.maximum if body.instances is None else body.instances
        return Scale(count, count, body.instance_type or scale.instance_type)
    return Scale(
        scale.minimum if body.min_replicas is None else body.min_replicas,
        scale.maximum if body.max_replicas is None else body.max_replicas,
    )


def _answer(
    response: Response, services: Services, saved: Endpoint, name: str, kind: Kind
) -> DeploymentResource:
    announce(response, services, kind, saved, name)
    mark(response, saved.version)
    return _show(services, saved, get_deployment(saved, name))


def _show(services: Services, endpoint: Endpoint, deployment: Deployment) -> DeploymentResource:
    return show_deployment(endpoint, deployment, services.fleet.describe(endpoint.name))
