"""What may be wanted of endpoints: pure checks, each of which finds faults rather than one fault.

A fault says where in the request it is, with the field names of the management API. What does not
fit what is there already is a `Conflict`, and raised; there is never more than one worth telling.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from cupola.catalog.model import Model
from cupola.deployments.model import (
    AuthMode,
    Deployment,
    Endpoint,
    EndpointKind,
    InstanceType,
    Scale,
    Spec,
)
from cupola.ids import NAME, NAME_RULE, DeploymentName, ModelName
from cupola.kit.errors import Conflict, Malformed, Several

MOST_INSTANCES: Final = 50
MOST_DEPLOYMENTS: Final = 20
"""Of one deployment, and of one endpoint: as many as the service whose clients we serve allows."""

Path = tuple[str | int, ...]


def refuse(faults: Iterable[Malformed]) -> None:
    """Raises: Malformed, or Several, if there are any."""
    found = list(faults)
    if len(found) == 1:
        raise found[0]
    if found:
        raise Several(found)


def check_name(name: str, path: Path) -> Iterator[Malformed]:
    """Whether it can be part of a host name."""
    if not NAME.fullmatch(name):
        yield Malformed(
            f"{name[:64]!r} is no name for this. {NAME_RULE}",
            path=path,
            code="string_pattern_mismatch",
        )


def check_model(model: Model, kind: EndpointKind, spec: Spec) -> Iterator[Malformed]:
    """Whether the model is offered for this kind of endpoint, and in this quantisation."""
    if kind.value not in model.deployments:
        offered = " or ".join(model.deployments) or "none"
        yield Malformed(
            f"{model.name} is not offered for {kind.value} endpoints, but for: {offered}.",
            path=("model",),
        )
    quantisations = [weights.quantisation.value for weights in model.weights]
    if spec.quantisation is not None and spec.quantisation not in quantisations:
        yield Malformed(
            f"{model.name} has no weights in {spec.quantisation[:20]!r}; it has: "
            f"{', '.join(dict.fromkeys(quantisations)) or 'none'}.",
            path=("quantisation",),
        )
    if spec.context_length is not None and spec.context_length > model.context_length:
        yield Malformed(
            f"{model.name} takes at most {model.context_length} tokens.",
            path=("context_length",),
            code="less_than_equal",
            context={"le": model.context_length},
        )


def check_replicas(scale: Scale) -> Iterator[Malformed]:
    """Of a serverless deployment: 0 <= minimum <= maximum, and room for at least one."""
    if not 1 <= scale.maximum <= MOST_INSTANCES:
        yield Malformed(
            f"At least 1 and at most {MOST_INSTANCES} replicas are possible.",
            path=("max_replicas",),
        )
    if scale.minimum < 0:
        yield Malformed("There cannot be fewer replicas than 0.", path=("min_replicas",))
    elif scale.minimum > scale.maximum:
        yield Malformed(
            f"min_replicas ({scale.minimum}) is more than max_replicas ({scale.maximum}).",
            path=("min_replicas",),
        )


def check_instances(scale: Scale, types: Collection[str]) -> Iterator[Malformed]:
    """Of a managed deployment: 1 to 50 of a type that there is."""
    if scale.minimum != scale.maximum or not 1 <= scale.maximum <= MOST_INSTANCES:
        yield Malformed(
            f"A managed deployment has 1 to {MOST_INSTANCES} instances.", path=("instances",)
        )
    known = ", ".join(sorted(types)) or "none yet"
    if scale.instance_type is None:
        yield Malformed(
            f"A managed deployment needs an instance type. There are: {known}.",
            path=("instance_type",),
            code="missing",
        )
    elif scale.instance_type not in types:
        yield Malformed(
            f"There is no instance type {scale.instance_type[:64]!r}. There are: {known}.",
            path=("instance_type",),
        )


def check_traffic(
    traffic: Mapping[DeploymentName, int], deployments: Sequence[Deployment]
) -> Iterator[Malformed]:
    """Per cent over deployments that there are; together 100, or all 0."""
    names = {each.name for each in deployments}
    for name, share in traffic.items():
        if name not in names:
            yield Malformed(
                f"The endpoint has no deployment {name[:64]!r}. It has: "
                f"{', '.join(sorted(names))}.",
                path=("traffic", name[:64]),
            )
        if not 0 <= share <= 100:
            yield Malformed(
                f"{share} is no per cent between 0 and 100.", path=("traffic", name[:64])
            )
    total = sum(traffic.values())
    if total not in (0, 100):
        yield Malformed(
            f"The shares are together {total}; they should be 100, or all 0.", path=("traffic",)
        )


def check_auth_mode(kind: EndpointKind, mode: AuthMode) -> Iterator[Malformed]:
    """Tokens of a provider are for managed endpoints."""
    if mode is AuthMode.TOKEN and kind is not EndpointKind.MANAGED:
        yield Malformed(
            "Only managed endpoints take tokens of a provider; others take keys.",
            path=("auth_mode",),
        )


def check_whole(
    endpoint: Endpoint, models: Mapping[ModelName, Model], types: Collection[str]
) -> Iterator[Malformed]:
    """Everything of an endpoint that can be said without what else there is."""
    yield from check_name(endpoint.name, ("name",))
    yield from check_auth_mode(endpoint.kind, endpoint.auth_mode)
    yield from check_traffic(endpoint.traffic, endpoint.deployments)
    managed = endpoint.kind is EndpointKind.MANAGED
    if not managed and [str(each.name) for each in endpoint.deployments] != [str(endpoint.name)]:
        yield Malformed(
            f"A serverless endpoint has one deployment, of its own name: {endpoint.name}.",
            path=("deployments",),
        )
    if len(endpoint.deployments) > MOST_DEPLOYMENTS:
        yield Malformed(
            f"An endpoint has at most {MOST_DEPLOYMENTS} deployments.", path=("deployments",)
        )
    for each in endpoint.deployments:
        found = [
            *check_name(each.name, ()),
            *check_model(models[each.spec.model], endpoint.kind, each.spec),
            *(check_instances(each.scale, types) if managed else check_replicas(each.scale)),
        ]
        for fault in found:
            fault.path = ("deployments", each.name, *fault.path)
        yield from found


def check_twins(others: Iterable[Endpoint], model: Model) -> None:
    """Raises: Conflict, if a project has a serverless deployment of the model already."""
    for each in others:
        if each.kind is EndpointKind.SERVERLESS and each.model == model.name:
            raise Conflict(
                f"The project has a serverless deployment of {model.name} already: {each.name}. "
                "Use that one, or delete it first.",
                path=("model",),
            )


def check_count(endpoint: Endpoint) -> None:
    """Raises: Conflict, if there is no room for another deployment."""
    if len(endpoint.deployments) >= MOST_DEPLOYMENTS:
        raise Conflict(
            f"The endpoint {endpoint.name!r} has {MOST_DEPLOYMENTS} deployments already, and more "
            "are not possible. Delete one first."
        )


def count_cores(endpoints: Iterable[Endpoint], types: Mapping[str, InstanceType]) -> int:
    """Cores of the managed deployments that count against their project's quota.

    Endpoints on the shared quota do not: they have an end instead.
    """
    return sum(
        each.scale.maximum * found.cores
        for endpoint in endpoints
        if endpoint.kind is EndpointKind.MANAGED and endpoint.expires is None
        for each in endpoint.deployments
        if (found := types.get(each.scale.instance_type or "")) is not None
    )


def check_quota(used: int, wanted: int, quota: int) -> None:
    """Raises: Conflict, if the project would then use more cores than it may.

    Args:
        used: Cores of everything but what is wanted now.
    """
    if used + wanted > quota:
        raise Conflict(
            f"This needs {wanted} cores; the project uses {used} of its {quota}, so "
            f"{max(0, quota - used)} are free. Take fewer or smaller instances, free some, or ask "
            "an administrator for a larger quota; for a trial there is the shared quota.",
            path=("instances",),
        )
