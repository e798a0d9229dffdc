"""The verbs of endpoints: check what is wanted, save it, tell of it.

Whatever is changed is read and saved in one unit of work with its line in the audit log, and takes
the version that the caller read as `expected`, so that nobody undoes what they have not seen.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from cupola.audit.service import Audit
from cupola.catalog.model import Model
from cupola.deployments import rules
from cupola.deployments.belongings import Belongings
from cupola.deployments.changes import (
    Edit,
    Edits,
    Options,
    become,
    check_changeable,
    find_deployment,
    get_deployment,
    make_endpoint,
    require_managed,
    respecify,
    tell,
    with_deployment,
)
from cupola.deployments.model import (
    DEFAULT_PROJECT,
    SHARED_QUOTA_SECONDS,
    Deployment,
    Endpoint,
    EndpointKind,
    Limits,
    Scale,
    Spec,
)
from cupola.deployments.ports import EndpointStore, InstanceTypeStore
from cupola.ids import NAME, DeploymentName, EndpointName, ModelName, new_id
from cupola.keys.model import Slot
from cupola.kit.clock import Clock
from cupola.kit.errors import Conflict, NotFound
from cupola.projects.service import Projects, ReachableProject


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
            require_managed(edit.before)
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
                made = respecify(known, spec, scale)
            edit.after = with_deployment(edit.before, made)
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
            require_managed(edit.before)
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
            edit.after = with_deployment(edit.before, replace(known, scale=scale))
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
            edit.after = become(edit.before, wanted)
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
            check_changeable(before, expected)
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
    ) -> AsyncIterator["Edit"]:
        """A stored endpoint, to be replaced by what the block makes of it."""
        async with self._audit.change(project.by, action, name, project.name) as change:
            before = await self.get(project, name)
            check_changeable(before, expected)
            edit = Edit(before, before, before)
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
