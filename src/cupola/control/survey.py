"""The platform as it is, as a document: what `export` gives, and what others are compared with."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml

from cupola.control.document import Platform, write_size
from cupola.control.services import Services
from cupola.control.shapes import when
from cupola.deployments.model import Deployment, Endpoint, EndpointKind, InstanceType
from cupola.identity.model import Origin, Principal, User
from cupola.ids import UserId
from cupola.projects.model import Right
from cupola.projects.service import ReachableProject

_HEAD = """\
# A platform document of Cupola: `cupola plan -f FILE` shows what applying it would change.
# It holds no secret. Passwords and project keys cannot be made again from it; the keys of
# endpoints can, by an installation with the same secret.
"""


async def survey(
    services: Services, by: Principal, only: Collection[str] | None = None
) -> Platform:
    """Everything, or of the projects `only` what is in them.

    Raises:
        NotFound: There is no such project.
    """
    users = {user.id: user for user in await services.users.list_users()}
    names = {id: user.name for id, user in users.items()}
    found: dict[str, Any] = {"version": 1}
    if only is None:
        types = await services.instance_types.list()
        found["instance_types"] = {each.name: _tell_type(each) for each in types}
        found["users"] = {each.name: _tell_user(each) for each in users.values()}
        only = [each.name for each in await services.projects.list_projects(by)]
    found["projects"] = {
        name: await _tell_project(
            services, await services.projects.reach(by, name, Right.GOVERN), names
        )
        for name in only
    }
    return Platform.model_validate(found)


def write_yaml(platform: Platform) -> str:
    """As a person reads it."""
    said = platform.model_dump(mode="json", exclude_unset=True)
    for each in (said.get("instance_types") or {}).values():
        each["memory"] = write_size(each["memory"])
    return _HEAD + yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=100)


async def _tell_project(
    services: Services, project: ReachableProject, names: Mapping[UserId, str]
) -> dict[str, Any]:
    members = await services.projects.list_members(project)
    endpoints = await services.endpoints.list_page(project)
    keys = await services.project_keys.list(project)
    return {
        "display_name": project.project.display_name,
        "core_quota": project.project.core_quota,
        "members": dict(sorted((names.get(each.user, each.user), each.role) for each in members)),
        "subscriptions": [each.model for each in await services.subscriptions.list(project)],
        "endpoints": {
            each.name: tell_endpoint(each)
            for each in endpoints
            if each.kind is not EndpointKind.UPSTREAM  # the home's file is the truth about them
        },
        "keys": {
            each.name: {
                "endpoints": None if each.endpoints is None else list(each.endpoints),
                "expires": when(each.expires) if each.expires else None,
            }
            for each in keys
        },
    }


def _tell_type(each: InstanceType) -> dict[str, Any]:
    return {"cores": each.cores, "memory": each.memory, "gpus": each.gpus}


def _tell_user(user: User) -> dict[str, Any]:
    told: dict[str, Any] = {"origin": user.origin.value}
    if user.origin is Origin.OIDC:
        told |= {"issuer": user.issuer, "subject": user.subject}
    return told | {"administrator": user.administrator, "disabled": user.disabled}


def tell_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as documents have it."""
    return {
        "kind": endpoint.kind.value,
        "auth_mode": endpoint.auth_mode.value,
        "content_safety": endpoint.content_safety,
        "description": endpoint.description,
        "tags": dict(endpoint.tags),
        "limits": {
            "tokens_per_minute": endpoint.limits.tokens_per_minute,
            "requests_per_minute": endpoint.limits.requests_per_minute,
        },
        "expires": when(endpoint.expires) if endpoint.expires else None,
        "traffic": {f"{name}": share for name, share in endpoint.traffic.items()},
        "deployments": {
            each.name: tell_deployment(endpoint, each) for each in endpoint.deployments
        },
        "keys": {
            "seed": endpoint.key_seed,
            "primary": endpoint.primary_generation,
            "secondary": endpoint.secondary_generation,
        },
    }


def tell_deployment(endpoint: Endpoint, each: Deployment) -> dict[str, Any]:
    """A deployment as documents have it."""
    told: dict[str, Any] = {"model": each.spec.model}
    if endpoint.kind is EndpointKind.MANAGED:
        told |= {"instance_type": each.scale.instance_type, "instances": each.scale.maximum}
    else:
        told |= {"min_replicas": each.scale.minimum, "max_replicas": each.scale.maximum}
    optional: Sequence[tuple[str, object]] = (
        ("quantisation", each.spec.quantisation),
        ("slots", each.spec.slots),
        ("context_length", each.spec.context_length),
    )
    return told | dict(optional)
