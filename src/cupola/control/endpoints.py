"""`/projects/{project}/endpoints`: what clients call, and its keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status

from cupola.catalog.model import Model
from cupola.control.authority import Callable_, Deployable, Readable
from cupola.control.endpoint_shapes import (
    EndpointEdits,
    EndpointResource,
    KeyChoice,
    KeyPairResource,
    NewEndpoint,
    show_endpoint,
)
from cupola.control.operations import ROOT, Kind, announce
from cupola.control.paging import AnyPage, Page
from cupola.control.repetition import RepeatableRoute, show_once
from cupola.control.services import Parts, Services
from cupola.control.states import State
from cupola.control.subscriptions import offer_of
from cupola.control.versions import Expected, mark, require
from cupola.deployments.changes import Edits, Options
from cupola.deployments.model import AuthMode, Endpoint, EndpointKind, Scale, Spec
from cupola.deployments.schemas import get_keys
from cupola.ids import DeploymentName
from cupola.kit.errors import Conflict, Malformed, NotFound, Several
from cupola.projects.model import Right
from cupola.projects.service import ReachableProject

router = APIRouter(tags=["endpoints"], route_class=RepeatableRoute)

EndpointName = Annotated[
    str, Path(description="An endpoint's name.", examples=["pilot"], max_length=200)
]
_MANAGED_ONLY = ("instance_type", "instances", "deployment", "shared_quota")
_SERVERLESS_ONLY = ("min_replicas", "max_replicas", "accept_terms")


@router.get("/projects/{project}/endpoints", summary="List endpoints")
async def list_endpoints(
    project: Readable, services: Parts, page: AnyPage
) -> Page[EndpointResource]:
    async def read(after: str, limit: int) -> list[Endpoint]:
        return [*await services.endpoints.list_page(project, after=after, limit=limit)]

    return await page.fetch(read, lambda each: each.name, lambda each: show(services, each))


@router.post(
    "/projects/{project}/endpoints", status_code=status.HTTP_201_CREATED, summary="Make an endpoint"
)
async def create_endpoint(
    project: Deployable, body: NewEndpoint, services: Parts, response: Response
) -> EndpointResource:
    """It starts at once; `Operation-Location` says where to see how far it is."""
    _check_kind(body)
    model = get_model(services, body.model)
    spec = Spec(model.name, body.quantisation, body.slots, body.context_length)
    options = Options(
        auth_mode=AuthMode(body.auth_mode),
        limits=body.limits.as_model() if body.limits else None,
        content_safety=body.content_safety,
        description=body.description,
        tags=body.tags,
    )
    if body.kind == "managed":
        count = 1 if body.instances is None else body.instances
        made = await services.endpoints.create_managed(
            project,
            model,
            body.name,
            scale=Scale(count, count, body.instance_type),
            spec=spec,
            deployment=body.deployment,
            shared_quota=body.shared_quota,
            options=options,
        )
    else:
        made = await _create_serverless(project, body, services, model, spec, options)
    response.headers["location"] = f"{ROOT}/projects/{made.project}/endpoints/{made.name}"
    return _answer(response, services, made, Kind.CREATE)


@router.get("/projects/{project}/endpoints/{endpoint}", summary="Show an endpoint")
async def get_endpoint(
    project: Readable, endpoint: EndpointName, services: Parts, response: Response
) -> EndpointResource:
    found = await services.endpoints.get(project, endpoint)
    mark(response, found.version)
    return show(services, found)


@router.patch(
    "/projects/{project}/endpoints/{endpoint}",
    summary="Change an endpoint",
    responses={202: {"description": "Replicas are started or stopped.", "model": EndpointResource}},
)
async def update_endpoint(
    project: Deployable,
    endpoint: EndpointName,
    body: EndpointEdits,
    services: Parts,
    response: Response,
    expected: Expected,
) -> EndpointResource:
    edits = Edits(
        auth_mode=AuthMode(body.auth_mode) if body.auth_mode else None,
        limits=body.limits.as_model() if body.limits else None,
        content_safety=body.content_safety,
        description=body.description,
        tags=body.tags,
        traffic=_name_shares(body),
    )
    scaled = body.min_replicas is not None or body.max_replicas is not None
    async with services.work.transaction():
        before = await services.endpoints.get(project, endpoint)
        require(expected, before.version, f"The endpoint {endpoint!r}")
        saved = await services.endpoints.update(project, endpoint, edits)
        if scaled:
            saved = await _scale(project, services, saved, body)
    services.fleet.wake()
    if scaled:
        response.status_code = status.HTTP_202_ACCEPTED
        return _answer(response, services, saved, Kind.UPDATE)
    mark(response, saved.version)
    return show(services, saved)


@router.delete(
    "/projects/{project}/endpoints/{endpoint}",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Delete an endpoint",
)
async def delete_endpoint(
    project: Deployable,
    endpoint: EndpointName,
    services: Parts,
    response: Response,
    expected: Expected,
) -> EndpointResource:
    """Its keys are dead for ever, also when its name returns."""
    gone = await services.endpoints.delete(project, endpoint, expected=expected)
    services.fleet.wake()
    services.on_budgets()
    announce(response, services, Kind.DELETE, gone)
    return show(services, gone, State.DELETING)


@router.get(
    "/projects/{project}/endpoints/{endpoint}/keys", tags=["endpoint keys"], summary="Show the keys"
)
async def show_keys(project: Callable_, endpoint: EndpointName, services: Parts) -> KeyPairResource:
    return _show_keys(services, await services.endpoints.get(project, endpoint))


@router.post(
    "/projects/{project}/endpoints/{endpoint}/keys/regenerate",
    tags=["endpoint keys"],
    summary="Regenerate a key",
)
async def regenerate_key(
    project: Deployable,
    endpoint: EndpointName,
    body: KeyChoice,
    services: Parts,
    request: Request,
) -> KeyPairResource:
    """The other one goes on working, so that callers can move over first."""
    show_once(request, "primary_key", "secondary_key")
    saved = await services.endpoints.regenerate_key(project, endpoint, body.key)
    if Right.CALL not in project.rights:
        return KeyPairResource(primary_key=None, secondary_key=None)
    return _show_keys(services, saved)


def get_model(services: Services, name: str) -> Model:
    """The model that a body names. Raises: Malformed, with its place."""
    try:
        return services.models.get_model(name)
    except NotFound as error:
        raise Malformed(error.public, path=("model",)) from error


def show(services: Services, endpoint: Endpoint, state: State | None = None) -> EndpointResource:
    """An endpoint, with how it is now."""
    statuses = services.fleet.describe(endpoint.name)
    return show_endpoint(endpoint, statuses, services.base_url(), state)


async def _create_serverless(
    project: ReachableProject,
    body: NewEndpoint,
    services: Services,
    model: Model,
    spec: Spec,
    options: Options,
) -> Endpoint:
    least = 1 if body.min_replicas is None else body.min_replicas
    most = max(1, least) if body.max_replicas is None else body.max_replicas
    async with services.work.transaction():
        if not body.accept_terms:
            await _require_acceptance(project, services, model)
        made = await services.endpoints.create_serverless(
            project, model, body.name, spec=spec, scale=Scale(least, most), options=options
        )
        if body.accept_terms:
            await services.subscriptions.accept(project, offer_of(model))
    services.fleet.wake()
    return made


async def _require_acceptance(project: ReachableProject, services: Services, model: Model) -> None:
    """Raises: Conflict, which says what there is to accept."""
    if await services.subscriptions.find(project, model.name) is not None:
        return
    offer = offer_of(model)
    raise Conflict(
        f"The project has not accepted the offer of {model.name} yet: licence {offer.license} "
        f"({offer.terms}), {offer.price_input} for 1,000 tokens of prompts and "
        f"{offer.price_output} of completions. Send 'accept_terms': true to accept it.",
        path=("accept_terms",),
    )


async def _scale(
    project: ReachableProject, services: Services, endpoint: Endpoint, body: EndpointEdits
) -> Endpoint:
    if endpoint.kind is not EndpointKind.SERVERLESS:
        raise Conflict(
            "A managed endpoint has instances instead of replicas: change those of a deployment.",
            path=("min_replicas" if body.min_replicas is not None else "max_replicas",),
        )
    [deployment] = endpoint.deployments
    known = deployment.scale
    scale = Scale(
        known.minimum if body.min_replicas is None else body.min_replicas,
        known.maximum if body.max_replicas is None else body.max_replicas,
    )
    return await services.endpoints.set_scale(project, endpoint.name, deployment.name, scale)


def _check_kind(body: NewEndpoint) -> None:
    """Raises: Malformed, Several, for fields that mean nothing for this kind."""
    strange = _SERVERLESS_ONLY if body.kind == "managed" else _MANAGED_ONLY
    faults = [
        Malformed(f"{field}: A {body.kind} endpoint has none. Leave it out.", path=(field,))
        for field in strange
        if getattr(body, field) not in (None, False)
    ]
    if faults:
        raise faults[0] if len(faults) == 1 else Several(faults)


def _name_shares(body: EndpointEdits) -> dict[DeploymentName, int] | None:
    if body.traffic is None:
        return None
    return {DeploymentName(name): share for name, share in body.traffic.items()}


def _answer(
    response: Response, services: Services, endpoint: Endpoint, kind: Kind
) -> EndpointResource:
    announce(response, services, kind, endpoint)
    mark(response, endpoint.version)
    return show(services, endpoint)


def _show_keys(services: Services, endpoint: Endpoint) -> KeyPairResource:
    pair = get_keys(endpoint, services.keyring)
    return KeyPairResource(primary_key=pair.primary, secondary_key=pair.secondary)
