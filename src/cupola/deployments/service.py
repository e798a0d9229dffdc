"""The verbs of endpoints and of instance types: check what is wanted, save it, tell of it.

Whatever is changed is read and saved in one unit of work with its line in the audit log, and takes
the version that the caller read as `expected`, so that nobody undoes what they have not seen.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import to_builtins

from cupola.audit.service import Audit
from cupola.catalog.model import Model
from cupola.deployments import rules
from cupola.deployments.model import (
    DEFAULT_PROJECT,
    SHARED_QUOTA_SECONDS,
    AuthMode,
    Deployment,
    Endpoint,
    EndpointKind,
    InstanceType,
    Limits,
    Scale,
    Spec,
)
from cupola.deployments.ports import EndpointStore, InstanceTypeStore
from cupola.identity.model import Principal
from cupola.ids import NAME, DeploymentName, EndpointName, ModelName, new_id
from cupola.keys.model import Slot
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, NotFound, Stale
from cupola.metering.budget import Scope as BudgetScope
from cupola.metering.ports import BudgetStore
from cupola.projects.service import Projects, ReachableProject, require_administrator
from cupola.quotas.model import OWN_KEYS, scope_of_own_key
from cupola.quotas.model import Scope as LimitScope
from cupola.quotas.ports import LimitStore


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


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is kept beside endpoints, keys and projects under their names, and must go with them, in
    the same unit of work: their limits and budgets. A name that comes back comes back free."""

    limits: LimitStore
    budgets: BudgetStore

    async def drop_of_endpoint(self, project: str, name: str) -> None:
        """Also what its own two keys have."""
        await self.limits.delete(LimitScope("endpoint", name))
        for key in OWN_KEYS:
            await self.limits.delete(scope_of_own_key(name, key))
        await self._drop_budgets(project, BudgetScope.ENDPOINT, name)

    async def drop_of_key(self, project: str, key: str) -> None:
        """Of a project key."""
        await self.limits.delete(LimitScope("key", key))
        await self._drop_budgets(project, BudgetScope.KEY, key)

    async def drop_of_project(self, project: str, keys: Iterable[str]) -> None:
        """And of its `keys`, which go with it."""
        for key in keys:
            await self.drop_of_key(project, key)
        await self.limits.delete(LimitScope("project", project))
        for budget in await self.budgets.list(project):
            await self.budgets.delete(budget.id)

    async def _drop_budgets(self, project: str, scope: BudgetScope, subject: str) -> None:
        for budget in await self.budgets.list(project):
            if (budget.scope, budget.subject) == (scope, subject):
                await self.budgets.delete(budget.id)


class Endpoints:
    """The endpoints of this installation: the stored ones, then those that a file defines.

    The latter are not stored, so that the file is the only truth about them; they belong to the
    default project.

    Args:
        core_quota: Cores that managed deployments of a project may use, if it has no quota itself.
        on_change: Called after each change.
    """

    def __init__(
        self,
        store: EndpointStore,
        instance_types: InstanceTypeStore,
        projects: Projects,
        audit: Audit,
        clock: Clock,
        *,
        belongings: Belongings,
        written: Sequence[Endpoint] = (),
        core_quota: int = 0,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._types = instance_types
        self._projects = projects
        self._audit = audit
        self._clock = clock
        self._belongings = belongings
        self._written = written
        self._core_quota = core_quota
        self._on_change = on_change

    async def list_endpoints(self) -> Sequence[Endpoint]:
        """Raises: Conflict, if a file defines the name of a stored one."""
        return self._join(await self._store.list())

    async def get_endpoint(self, name: str) -> Endpoint:
        """Raises: NotFound, with the names there are."""
        endpoints = await self.list_endpoints()
        for endpoint in endpoints:
            if endpoint.name == name:
                return endpoint
        names = ", ".join(each.name for each in endpoints) or "none yet"
        raise NotFound(f"There is no endpoint {name!r}. There are: {names}.")

    async def ensure_first(self, name: EndpointName, model: ModelName) -> Sequence[Endpoint]:
        """All endpoints; in a new home `name` is created, so that it can chat.

        A home is new until its audit log begins: whoever deleted the last endpoint meant it. Its
        keys come from the secret and the name alone, so a home that was wiped but for its secret
        has the same ones again.
        """
        is_new = not await self._audit.list(limit=1)
        await self._projects.ensure(DEFAULT_PROJECT)
        existing = await self._store.list()
        if existing or not is_new:
            return self._join(existing)
        endpoint = make_endpoint(name, EndpointKind.SERVERLESS, model, int(self._clock.now()))
        endpoints = self._join([endpoint])
        async with self._audit.change(None, "endpoints.create", name, endpoint.project) as change:
            await self._store.add(endpoint)
            change.after = tell(endpoint)
        return endpoints

    async def list_page(
        self, project: ReachableProject, *, after: str = "", limit: int | None = None
    ) -> Sequence[Endpoint]:
        """The project's, sorted by name; `after` is exclusive."""
        stored = await self._store.list(project=project.name, after=after, limit=limit)
        written = [
            each for each in self._written if each.project == project.name and each.name > after
        ]
        return sorted([*stored, *written], key=lambda each: each.name)[:limit]

    async def get(self, project: ReachableProject, name: str) -> Endpoint:
        """Raises: NotFound, also for one of another project."""
        for each in self._written:
            if each.name == name and each.project == project.name:
                return each
        found = await self._store.find(EndpointName(name)) if NAME.fullmatch(name) else None
        if found is None or found.project != project.name:
            raise NotFound(f"The project {project.name!r} has no endpoint {name!r}.")
        return found

    async def create_serverless(
        self,
        project: ReachableProject,
        model: Model,
        name: str,
        *,
        spec: Spec | None = None,
        scale: Scale | None = None,
        options: Options | None = None,
    ) -> Endpoint:
        """An endpoint on shared replicas. That the offer is accepted is for the caller to see to.

        Raises:
            Malformed: What is wanted is not possible.
            Conflict: The name is taken, or the project has such a deployment already.
        """
        kind = EndpointKind.SERVERLESS
        spec, scale, options = spec or Spec(model.name), scale or Scale(), options or Options()
        rules.refuse(
            [
                *rules.check_name(name, ("name",)),
                *rules.check_model(model, kind, spec),
                *rules.check_replicas(scale),
                *rules.check_auth_mode(kind, options.auth_mode),
            ]
        )
        endpoint = self._make(project, kind, name, name, spec, scale, options)
        async with self._creating(project, endpoint):
            rules.check_twins(await self._store.list(project=project.name), model)
            await self._add(endpoint)
        return endpoint

    async def create_managed(
        self,
        project: ReachableProject,
        model: Model,
        name: str,
        *,
        scale: Scale,
        spec: Spec | None = None,
        deployment: str | None = None,
        shared_quota: bool = False,
        options: Options | None = None,
    ) -> Endpoint:
        """An endpoint on instances of its own.

        Args:
            deployment: The first deployment's name; None: the endpoint's.
            shared_quota: Count against no quota, and be deleted after a week.

        Raises:
            Malformed: What is wanted is not possible.
            Conflict: The name is taken, or the project's quota of cores is too small.
        """
        kind = EndpointKind.MANAGED
        spec, options, first = spec or Spec(model.name), options or Options(), deployment or name
        types = {each.name: each for each in await self._types.list()}
        rules.refuse(
            [
                *rules.check_name(name, ("name",)),
                *(rules.check_name(first, ("deployment",)) if first != name else ()),
                *rules.check_model(model, kind, spec),
                *rules.check_instances(scale, types),
            ]
        )
        endpoint = self._make(project, kind, name, first, spec, scale, options)
        if shared_quota:
            endpoint = replace(endpoint, expires=endpoint.created + SHARED_QUOTA_SECONDS)
        async with self._creating(project, endpoint):
            await self._check_quota(project, endpoint)
            await self._add(endpoint)
        return endpoint

    async def put_deployment(
        self,
        project: ReachableProject,
        name: str,
        deployment: str,
        model: Model,
        spec: Spec,
        scale: Scale,
        *,
        expected: int | None = None,
    ) -> Endpoint:
        """A deployment of a managed endpoint, made or changed; a change of `spec` is rolled out.

        A new one gets no requests until it gets a share of the traffic.
        """
        types = {each.name: each for each in await self._types.list()}
        async with self._changing(project, name, "deployments.put", expected) as edit:
            _require_managed(edit.before)
            rules.refuse(
                [
                    *rules.check_name(deployment, ("deployment",)),
                    *rules.check_model(model, EndpointKind.MANAGED, spec),
                    *rules.check_instances(scale, types),
                ]
            )
            known = find_deployment(edit.before, deployment)
            if known is None:
                rules.check_count(edit.before)
                now = int(self._clock.now())
                made = Deployment(DeploymentName(deployment), spec, scale, now)
            else:
                made = _respecify(known, spec, scale)
            edit.after = _with_deployment(edit.before, made)
            await self._check_quota(project, edit.after)
        return edit.saved

    async def delete_deployment(
        self,
        project: ReachableProject,
        name: str,
        deployment: str,
        *,
        expected: int | None = None,
    ) -> Endpoint:
        """Raises: Conflict, for the last one and for one that gets requests."""
        async with self._changing(project, name, "deployments.delete", expected) as edit:
            known = get_deployment(edit.before, deployment)
            _require_managed(edit.before)
            if len(edit.before.deployments) == 1:
                raise Conflict(
                    f"{deployment!r} is the endpoint's last deployment. Delete the endpoint."
                )
            if share := edit.before.traffic.get(known.name, 0):
                raise Conflict(
                    f"{deployment!r} gets {share} % of the traffic. Give it to others first."
                )
            edit.after = replace(
                edit.before,
                deployments=tuple(each for each in edit.before.deployments if each != known),
                traffic={k: v for k, v in edit.before.traffic.items() if k != known.name},
            )
        return edit.saved

    async def set_scale(
        self,
        project: ReachableProject,
        name: str,
        deployment: str,
        scale: Scale,
        *,
        expected: int | None = None,
    ) -> Endpoint:
        """More or fewer replicas; nothing is rolled out."""
        types = {each.name: each for each in await self._types.list()}
        async with self._changing(project, name, "deployments.scale", expected) as edit:
            known = get_deployment(edit.before, deployment)
            if edit.before.kind is EndpointKind.SERVERLESS:
                rules.refuse(rules.check_replicas(scale))
            else:
                rules.refuse(rules.check_instances(scale, types))
            edit.after = _with_deployment(edit.before, replace(known, scale=scale))
            await self._check_quota(project, edit.after)
        return edit.saved

    async def set_traffic(
        self,
        project: ReachableProject,
        name: str,
        traffic: Mapping[DeploymentName, int],
        *,
        expected: int | None = None,
    ) -> Endpoint:
        """Who gets the requests that name no deployment."""
        return await self.update(project, name, Edits(traffic=traffic), expected=expected)

    async def update(
        self, project: ReachableProject, name: str, edits: Edits, *, expected: int | None = None
    ) -> Endpoint:
        """The endpoint with all of `edits`, or none of them."""
        async with self._changing(project, name, "endpoints.update", expected) as edit:
            if edits.auth_mode is not None:
                rules.refuse(rules.check_auth_mode(edit.before.kind, edits.auth_mode))
            if edits.traffic is not None:
                rules.refuse(rules.check_traffic(edits.traffic, edit.before.deployments))
            wanted = {
                each: getattr(edits, each)
                for each in Edits.__dataclass_fields__
                if getattr(edits, each) is not None
            }
            edit.after = replace(edit.before, **wanted)
        return edit.saved

    async def put_whole(
        self, project: ReachableProject, wanted: Endpoint, models: Mapping[ModelName, Model]
    ) -> Endpoint:
        """The endpoint as `wanted`, made or changed, as a platform document has it.

        A new one takes the keys' lineage of `wanted`: it may be one that comes back after all was
        wiped. Of one that is there, kind, keys, expiry and age stay.

        Args:
            models: Those of `wanted`.

        Raises:
            Malformed: What is wanted is not possible.
            Conflict: It does not fit what is there.
        """
        types = {each.name: each for each in await self._types.list()}
        rules.refuse(rules.check_whole(wanted, models, types))
        known = await self._store.find(wanted.name)
        if known is None or known.project != project.name:
            async with self._creating(project, wanted):
                if wanted.kind is EndpointKind.SERVERLESS:
                    others = await self._store.list(project=project.name)
                    rules.check_twins(others, models[wanted.model])
                await self._check_quota(project, wanted)
                await self._add(wanted)
            return wanted
        async with self._changing(project, wanted.name, "endpoints.update", None) as edit:
            edit.after = _become(edit.before, wanted)
            await self._check_quota(project, edit.after)
        return edit.saved

    async def regenerate_key(
        self, project: ReachableProject, name: str, slot: Slot, *, expected: int | None = None
    ) -> Endpoint:
        """Another key in `slot`; the one that was there is dead, the other one stays."""
        async with self._changing(project, name, "keys.regenerate", expected) as edit:
            before = edit.before
            if slot == "primary":
                edit.after = replace(before, primary_generation=before.primary_generation + 1)
            else:
                edit.after = replace(before, secondary_generation=before.secondary_generation + 1)
        return edit.saved

    async def delete(
        self, project: ReachableProject, name: str, *, expected: int | None = None
    ) -> Endpoint:
        """The endpoint as it was; its keys are dead for ever."""
        async with self._audit.change(project.by, "endpoints.delete", name, project.name) as change:
            before = await self.get(project, name)
            _check_changeable(before, expected)
            change.before = tell(before)
            await self._store.delete(before.name)
            await self._belongings.drop_of_endpoint(project.name, before.name)
        self._on_change()
        return before

    async def expire(self, endpoint: Endpoint) -> bool:
        """Delete an endpoint whose time on the shared quota is over; whether it was there."""
        async with self._audit.change(
            None, "endpoints.expire", endpoint.name, endpoint.project
        ) as change:
            gone = await self._store.delete(endpoint.name)
            if gone:
                await self._belongings.drop_of_endpoint(endpoint.project, endpoint.name)
            change.before = tell(endpoint) if gone else None
        self._on_change()
        return gone

    async def go_back(self, endpoint: Endpoint) -> None:
        """Keep an endpoint whose deployment returns by itself to what was healthy.

        Raises:
            Stale: It was changed meanwhile.
        """
        async with self._audit.change(
            None, "deployments.return", endpoint.name, endpoint.project
        ) as change:
            before = await self._store.find(endpoint.name)
            await self._store.save(endpoint)
            change.before = tell(before) if before else None
            change.after = tell(endpoint)

    async def require_empty(self, project: ReachableProject) -> None:
        """Raises: Conflict, if the project has endpoints."""
        if found := await self.list_page(project, limit=4):
            names = ", ".join(each.name for each in found[:3]) + " ..." * (len(found) > 3)
            raise Conflict(
                f"The project {project.name!r} still has endpoints: {names}. Delete them first."
            )

    async def require_unserved(self, project: ReachableProject, model: ModelName) -> None:
        """Raises: Conflict, if a serverless endpoint of the project rests on the model's offer."""
        for each in await self._store.list(project=project.name):
            if each.kind is EndpointKind.SERVERLESS and each.model == model:
                raise Conflict(
                    f"The endpoint {each.name!r} rests on this subscription. Delete it first."
                )

    async def require_unused(self, model: ModelName) -> None:
        """Raises: Conflict, if any endpoint has the model. It may be another project's: no name."""
        for each in await self.list_endpoints():
            if any(deployment.spec.model == model for deployment in each.deployments):
                raise Conflict(f"Endpoints still have the model {model!r}. Delete them first.")

    async def is_taken(self, name: str) -> bool:
        """Whether any project has an endpoint of this name."""
        return await self._store.find(EndpointName(name)) is not None

    @asynccontextmanager
    async def _creating(self, project: ReachableProject, endpoint: Endpoint) -> AsyncIterator[None]:
        async with self._audit.change(
            project.by, "endpoints.create", endpoint.name, project.name
        ) as change:
            yield
            change.after = tell(endpoint)
        self._on_change()

    @asynccontextmanager
    async def _changing(
        self, project: ReachableProject, name: str, action: str, expected: int | None
    ) -> AsyncIterator["_Edit"]:
        """A stored endpoint, to be replaced by what the block makes of it."""
        async with self._audit.change(project.by, action, name, project.name) as change:
            before = await self.get(project, name)
            _check_changeable(before, expected)
            edit = _Edit(before, before, before)
            yield edit
            if edit.after == before:
                return
            edit.saved = replace(edit.after, version=before.version + 1)
            await self._store.save(edit.saved)
            change.before, change.after = tell(before), tell(edit.saved)
        self._on_change()

    async def _add(self, endpoint: Endpoint) -> None:
        if any(each.name == endpoint.name for each in self._written):
            raise Conflict(f"There is an endpoint {endpoint.name!r} already.", path=("name",))
        await self._store.add(endpoint)

    def _make(
        self,
        project: ReachableProject,
        kind: EndpointKind,
        name: str,
        deployment: str,
        spec: Spec,
        scale: Scale,
        options: Options,
    ) -> Endpoint:
        now = int(self._clock.now())
        first = Deployment(DeploymentName(deployment), spec, scale, now)
        shared = kind is EndpointKind.SERVERLESS
        usual = Limits() if shared else Limits(None, None)
        safe = shared if options.content_safety is None else options.content_safety
        return Endpoint(
            name=EndpointName(name),
            kind=kind,
            project=project.name,
            created=now,
            deployments=(first,),
            traffic={first.name: 100},
            auth_mode=options.auth_mode,
            key_seed=new_id("sed"),
            limits=options.limits or usual,
            content_safety=safe,
            description=options.description,
            tags=options.tags,
        )

    async def _check_quota(self, project: ReachableProject, wanted: Endpoint) -> None:
        if wanted.kind is not EndpointKind.MANAGED or wanted.expires is not None:
            return
        types = {each.name: each for each in await self._types.list()}
        others = await self._store.list(project=project.name)
        used = rules.count_cores((each for each in others if each.name != wanted.name), types)
        quota = project.project.core_quota
        rules.check_quota(
            used,
            rules.count_cores([wanted], types),
            self._core_quota if quota is None else quota,
        )

    def _join(self, stored: Sequence[Endpoint]) -> Sequence[Endpoint]:
        """The stored ones, oldest first, then the written ones."""
        taken = {each.name for each in stored}
        for each in self._written:
            if each.name in taken:
                raise Conflict(
                    f"There is an endpoint {each.name!r} already. Give the one of kind "
                    f"{each.kind} another name in its file."
                )
        return [*sorted(stored, key=lambda each: (each.created, each.name)), *self._written]


class InstanceTypes:
    """The kinds of instance that managed deployments may have."""

    def __init__(self, store: InstanceTypeStore, endpoints: EndpointStore, audit: Audit) -> None:
        self._store = store
        self._endpoints = endpoints
        self._audit = audit

    async def ensure_first(self, types: Sequence[InstanceType]) -> None:
        """`types`, if there are none."""
        if await self._store.list():
            return
        for each in types:
            async with self._audit.change(None, "instance_types.put", each.name) as change:
                await self._store.put(each)
                change.after = to_builtins(each)

    async def list(self) -> Sequence[InstanceType]:
        """Sorted by name."""
        return await self._store.list()

    async def get(self, name: str) -> InstanceType:
        """Raises: NotFound, with the names there are."""
        found = await self._store.find(name)
        if found is None:
            names = ", ".join(each.name for each in await self._store.list()) or "none yet"
            raise NotFound(f"There is no instance type {name!r}. There are: {names}.")
        return found

    async def put(self, by: Principal, instance_type: InstanceType) -> bool:
        """Add or replace; whether it is new. Instances that run stay as they are."""
        require_administrator(by)
        rules.refuse(rules.check_name(instance_type.name, ("name",)))
        async with self._audit.change(by, "instance_types.put", instance_type.name) as change:
            known = await self._store.find(instance_type.name)
            await self._store.put(instance_type)
            change.before = to_builtins(known) if known else None
            change.after = to_builtins(instance_type)
        return known is None

    async def delete(self, by: Principal, name: str) -> None:
        """Raises: Conflict, if a deployment has it."""
        require_administrator(by)
        async with self._audit.change(by, "instance_types.delete", name) as change:
            change.before = to_builtins(await self.get(name))
            users = sum(
                deployment.scale.instance_type == name
                for endpoint in await self._endpoints.list()
                for deployment in endpoint.deployments
            )
            if users:
                raise Conflict(
                    f"Deployments that have the instance type {name!r}: {users}. Give them "
                    "another first."
                )
            await self._store.delete(name)


@dataclass(slots=True)
class _Edit:
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


def _check_changeable(endpoint: Endpoint, expected: int | None) -> None:
    if endpoint.kind is EndpointKind.UPSTREAM:
        raise Conflict(
            f"The endpoint {endpoint.name!r} is defined by upstreams.toml in the home. Change it "
            "there, and restart Cupola."
        )
    if expected not in (None, endpoint.version):
        raise Stale(f"The endpoint {endpoint.name!r} was changed meanwhile. Read it again.")


def _require_managed(endpoint: Endpoint) -> None:
    if endpoint.kind is not EndpointKind.MANAGED:
        raise Conflict(
            f"The endpoint {endpoint.name!r} is {endpoint.kind.value}: it has one deployment, "
            "which stays. Make a managed endpoint to have several, or to change the model."
        )


def _respecify(known: Deployment, spec: Spec, scale: Scale) -> Deployment:
    if spec == known.spec:
        return replace(known, scale=scale)
    return replace(known, spec=spec, scale=scale, revision=known.revision + 1, outcome="")


def _become(before: Endpoint, wanted: Endpoint) -> Endpoint:
    """`before` with all that a document may change of it."""
    known = {each.name: each for each in before.deployments}
    if before.kind is EndpointKind.SERVERLESS and wanted.model != before.model:
        raise Conflict(
            f"The serverless endpoint {before.name!r} has the model {before.model}, which stays. "
            "Delete it first, or give the other model an endpoint of its own."
        )
    deployments = tuple(
        _respecify(known[each.name], each.spec, each.scale) if each.name in known else each
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


def _with_deployment(endpoint: Endpoint, made: Deployment) -> Endpoint:
    """`endpoint` with `made` added, or in the place of the one of its name."""
    others = [each for each in endpoint.deployments if each.name != made.name]
    traffic = {**endpoint.traffic}
    traffic.setdefault(made.name, 0)
    deployments = tuple(sorted([*others, made], key=lambda each: each.name))
    return replace(endpoint, deployments=deployments, traffic=traffic)
