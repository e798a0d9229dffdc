"""What becomes of an endpoint that is made or changed: pure, and stored by nobody here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import to_builtins

from cupola.deployments.model import (
    DEFAULT_PROJECT,
    AuthMode,
    Deployment,
    Endpoint,
    EndpointKind,
    Limits,
    Scale,
    Spec,
)
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.errors import Conflict, NotFound, Stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be said of a new endpoint; None: as its kind has it by default."""

    auth_mode: AuthMode = AuthMode.KEY
    limits: Limits | None = None
    content_safety: bool | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What may be changed of an endpoint without touching its deployments; None: as it is."""

    auth_mode: AuthMode | None = None
    limits: Limits | None = None
    content_safety: bool | None = None
    description: str | None = None
    tags: Mapping[str, str] | None = None
    traffic: Mapping[DeploymentName, int] | None = None


@dataclass(slots=True)
class Edit:
    """An endpoint on its way from `before` to `saved`."""

    before: Endpoint
    after: Endpoint
    """To be replaced by whoever makes the change; its version is not theirs to count."""
    saved: Endpoint


def make_endpoint(
    name: EndpointName, kind: EndpointKind, model: ModelName, created: int, key_seed: str = ""
) -> Endpoint:
    """An endpoint of the default project with one deployment, of its own name.

    Without a seed its keys are always those of its name, which suits one that a file defines.
    """
    deployment = Deployment(DeploymentName(name), Spec(model), Scale(), created)
    return Endpoint(
        name=name,
        kind=kind,
        project=DEFAULT_PROJECT,
        created=created,
        deployments=(deployment,),
        traffic={deployment.name: 100},
        key_seed=key_seed,
    )


def find_deployment(endpoint: Endpoint, name: str) -> Deployment | None:
    """The endpoint's deployment of that name."""
    return next((each for each in endpoint.deployments if each.name == name), None)


def get_deployment(endpoint: Endpoint, name: str) -> Deployment:
    """Raises: NotFound, with the names there are."""
    found = find_deployment(endpoint, name)
    if found is None:
        names = ", ".join(each.name for each in endpoint.deployments)
        raise NotFound(
            f"The endpoint {endpoint.name!r} has no deployment {name!r}. It has: {names}."
        )
    return found


def tell(endpoint: Endpoint) -> dict[str, Any]:
    """What the audit log keeps of an endpoint: all but what its keys are derived from."""
    told: dict[str, Any] = to_builtins(endpoint)
    del told["key_seed"]
    return told


def check_changeable(endpoint: Endpoint, expected: int | None) -> None:
    """Raises: Conflict, of one that a file defines; Stale, if it is not the `expected` version."""
    if endpoint.kind is EndpointKind.UPSTREAM:
        raise Conflict(
            f"The endpoint {endpoint.name!r} is defined by upstreams.toml in the home. Change it "
            "there, and restart Cupola."
        )
    if expected not in (None, endpoint.version):
        raise Stale(f"The endpoint {endpoint.name!r} was changed meanwhile. Read it again.")


def require_managed(endpoint: Endpoint) -> None:
    """Raises: Conflict."""
    if endpoint.kind is not EndpointKind.MANAGED:
        raise Conflict(
            f"The endpoint {endpoint.name!r} is {endpoint.kind.value}: it has one deployment, "
            "which stays. Make a managed endpoint to have several, or to change the model."
        )


def respecify(known: Deployment, spec: Spec, scale: Scale) -> Deployment:
    """`known` with these; a new revision, if its replicas are to run something else."""
    if spec == known.spec:
        return replace(known, scale=scale)
    return replace(known, spec=spec, scale=scale, revision=known.revision + 1, outcome="")


def become(before: Endpoint, wanted: Endpoint) -> Endpoint:
    """`before` with all that a document may change of it."""
    known = {each.name: each for each in before.deployments}
    if before.kind is EndpointKind.SERVERLESS and wanted.model != before.model:
        raise Conflict(
            f"The serverless endpoint {before.name!r} has the model {before.model}, which stays. "
            "Delete it first, or give the other model an endpoint of its own."
        )
    deployments = tuple(
        respecify(known[each.name], each.spec, each.scale) if each.name in known else each
        for each in wanted.deployments
    )
    return replace(
        before,
        deployments=deployments,
        traffic=wanted.traffic,
        auth_mode=wanted.auth_mode,
        limits=wanted.limits,
        content_safety=wanted.content_safety,
        description=wanted.description,
        tags=wanted.tags,
    )


def with_deployment(endpoint: Endpoint, made: Deployment) -> Endpoint:
    """`endpoint` with `made` added, or in the place of the one of its name."""
    others = [each for each in endpoint.deployments if each.name != made.name]
    traffic = {**endpoint.traffic}
    traffic.setdefault(made.name, 0)
    deployments = tuple(sorted([*others, made], key=lambda each: each.name))
    return replace(endpoint, deployments=deployments, traffic=traffic)
