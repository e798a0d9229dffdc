"""The platform as it is, as a document: what `export` gives, and what others are compared with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, TypeAlias

import yaml

from cupola.control.document import Platform, write_size
from cupola.control.prices import find_current
from cupola.control.services import Services
from cupola.control.shapes import when
from cupola.deployments.model import Deployment, Endpoint, EndpointKind, InstanceType
from cupola.identity.model import Origin, Principal, User
from cupola.ids import UserId
from cupola.kit.money import format_amount
from cupola.metering.budget import TOKENS, Budget, Scope
from cupola.metering.model import PriceKind
from cupola.projects.model import Right
from cupola.projects.service import ReachableProject
from cupola.quotas.model import OWN_KEYS, Limits, scope_of_own_key
from cupola.quotas.model import Scope as LimitScope

_Limits: TypeAlias = Mapping[LimitScope, Limits]
_NO_LIMITS: Final = Limits()
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
    limits = {bound.scope: bound.limits for bound in await services.limits.list()}
    users = {user.id: user for user in await services.users.list_users()}
    names = {id: user.name for id, user in users.items()}
    found: dict[str, Any] = {"version": 1}
    if only is None:
        types = await services.instance_types.list()
        found["instance_types"] = {each.name: _tell_type(each) for each in types}
        found["prices"] = await _tell_prices(services, {each.name for each in types})
        found["users"] = {each.name: _tell_user(each) for each in users.values()}
        only = [each.name for each in await services.projects.list_projects(by)]
    found["projects"] = {
        name: await _tell_project(
            services, await services.projects.reach(by, name, Right.GOVERN), names, limits
        )
        for name in only
    }
    return Platform.model_validate(found)


def write_yaml(platform: Platform) -> str:
    """As a person reads it."""
    said = platform.model_dump(mode="json", exclude_unset=True)
    for each in (said.get("instance_types") or {}).values():
        each["memory"] = write_size(each["memory"])
    for project in (said.get("projects") or {}).values():
        for budget in (project.get("budgets") or {}).values():
            del budget["webhook"]  # it may hold a secret
        _fold_limits(project)
    return _HEAD + yaml.dump(said, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Folded(dict[str, Any]):
    """Written in a line."""


class _Dumper(yaml.SafeDumper):
    """Writes most things in lines of their own."""


_Dumper.add_representer(
    _Folded,
    lambda dumper, value: dumper.represent_mapping(
        "tag:yaml.org,2002:map", value.items(), flow_style=True
    ),
)


def _fold_limits(project: dict[str, Any]) -> None:
    """There are six to each of many scopes, most of them null."""
    endpoints, keys = project.get("endpoints") or {}, project.get("keys") or {}
    for each in (project, *endpoints.values(), *keys.values()):
        each["limits"] = _Folded(each["limits"])
    for each in endpoints.values():
        each["key_limits"] = {key: _Folded(some) for key, some in each["key_limits"].items()}


async def _tell_prices(services: Services, types: Collection[str]) -> dict[str, Any]:
    """Those that hold now, of what there still is."""
    models = {each.name for each in services.models.list_models()}
    told: dict[str, Any] = {"models": {}, "instance_types": {}}
    for (kind, name), price in sorted((await find_current(services)).items()):
        if kind is PriceKind.MODEL and name in models:
            told["models"][name] = {
                "currency": price.currency,
                "input": format_amount(price.input),
                "output": format_amount(price.output),
            }
        elif kind is PriceKind.INSTANCE_TYPE and name in types:
            hour = format_amount(price.hour)
            told["instance_types"][name] = {"currency": price.currency, "hour": hour}
    return told


def tell_limits(limits: Limits) -> dict[str, Any]:
    """Limits as documents have them."""
    told = asdict(limits)
    if limits.money_per_month is not None:
        told["money_per_month"] = format_amount(limits.money_per_month)
    return told


def _tell_budget(budget: Budget, names: Mapping[str, str]) -> dict[str, Any]:
    tokens = budget.unit == TOKENS
    subjects = {Scope.PROJECT: None, Scope.KEY: names.get(budget.subject, budget.subject)}
    return {
        "scope": budget.scope.value,
        "subject": subjects.get(budget.scope, budget.subject),
        "amount": None if tokens else format_amount(budget.amount),
        "currency": None if tokens else budget.unit,
        "tokens": budget.amount if tokens else None,
        "period": budget.period.value,
        "warn": list(budget.warn),
        "refuse": budget.refuse,
        "webhook": budget.webhook,
    }


async def _tell_project(
    services: Services,
    project: ReachableProject,
    names: Mapping[UserId, str],
    limits: _Limits,
) -> dict[str, Any]:
    members = await services.projects.list_members(project)
    endpoints = await services.endpoints.list_page(project)
    keys = await services.project_keys.list(project)
    return {
        "display_name": project.project.display_name,
        "core_quota": project.project.core_quota,
        "limits": tell_limits(limits.get(LimitScope("project", project.name), _NO_LIMITS)),
        "members": dict(sorted((names.get(each.user, each.user), each.role) for each in members)),
        "subscriptions": [each.model for each in await services.subscriptions.list(project)],
        "endpoints": {
            each.name: tell_endpoint(each) | _tell_endpoint_limits(each, limits)
            for each in endpoints
            if each.kind is not EndpointKind.UPSTREAM  # the home's file is the truth about them
        },
        "keys": {
            each.name: {
                "endpoints": None if each.endpoints is None else list(each.endpoints),
                "expires": when(each.expires) if each.expires else None,
                "limits": tell_limits(limits.get(LimitScope("key", each.id), _NO_LIMITS)),
            }
            for each in keys
        },
        "budgets": {
            each.id: _tell_budget(each, {key.id: key.name for key in keys})
            for each in await services.belongings.budgets.list(project.name)
        },
    }


def _tell_endpoint_limits(endpoint: Endpoint, limits: _Limits) -> dict[str, Any]:
    """Those of a minute stand with the endpoint, the others beside it."""
    own = endpoint.limits
    kept = limits.get(LimitScope("endpoint", endpoint.name), _NO_LIMITS)
    whole = replace(
        kept,
        requests_per_minute=own.requests_per_minute,
        tokens_per_minute=own.tokens_per_minute,
    )
    return {
        "limits": tell_limits(whole),
        "key_limits": {
            key: tell_limits(limits.get(scope_of_own_key(endpoint.name, key), _NO_LIMITS))
            for key in OWN_KEYS
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
