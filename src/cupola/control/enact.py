"""Bringing changes about, one after the other, by the same verbs as every other route."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cupola.control.budgets import (
    NewBudget,
    add_budget,
    read_order,
    remove_budget,
    replace_budget,
)
from cupola.control.document import (
    DeploymentEntry,
    EndpointEntry,
    LimitsEntry,
    Platform,
    UserEntry,
)
from cupola.control.drift import Action, Change, Fields, Plan
from cupola.control.limits import put_limits
from cupola.control.prices import find_current, set_price
from cupola.control.projects import delete_whole
from cupola.control.services import Services
from cupola.control.subscriptions import offer_of
from cupola.control.users import find_somebody
from cupola.deployments.model import (
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
from cupola.identity.model import Principal, User, Vouched
from cupola.ids import DeploymentName, EndpointName, ModelName, new_id
from cupola.kit.errors import Conflict, CupolaError
from cupola.kit.money import Money, parse_amount
from cupola.metering.model import PriceKind
from cupola.projects.model import Right, Role
from cupola.projects.service import ReachableProject
from cupola.quotas.model import Limits as UseLimits
from cupola.quotas.model import Scope as LimitScope
from cupola.quotas.model import scope_of_own_key


@dataclass(frozen=True, slots=True)
class Enactor:
    """Somebody who may change everything, and what they change it with."""

    services: Services
    by: Principal
    wanted: Platform

    async def enact(self, plan: Plan) -> None:
        """All changes, in order; to be done in one unit of work.

        Raises:
            CupolaError: One is not possible; the message says which.
        """
        for change in plan.changes:
            if change.action is Action.UNCHANGED:
                continue
            try:
                await self._enact(change)
            except CupolaError as error:
                error.public = f"{change.kind} {change.name}: {error.public}"
                raise

    async def _enact(self, change: Change) -> None:
        match change.kind:
            case "instance_type":
                await self._put_type(change)
            case "price":
                await self._put_price(change)
            case "user":
                await self._put_user(change)
            case "project":
                await self._put_project(change)
            case "member":
                await self._put_member(change)
            case "subscription":
                await self._put_subscription(change)
            case "endpoint":
                await self._put_endpoint(change)
            case "project_key":
                await self._limit_key(change)
            case "budget":
                await self._put_budget(change)

    async def _put_type(self, change: Change) -> None:
        types = self.services.instance_types
        if change.action is Action.DELETE:
            await types.delete(self.by, change.name)
        else:
            after = change.after
            offered = InstanceType(
                change.name, after["cores"], after["memory"], after.get("gpus", 0)
            )
            await types.put(self.by, offered)

    async def _put_price(self, change: Change) -> None:
        section, _, name = change.name.partition("/")
        after, prices = change.after, self.services.prices
        currency = after["currency"]
        if section == "models":
            kind, name = PriceKind.MODEL, self.services.models.get_model(name).name
            input, output = (Money.parse(after[each], currency) for each in ("input", "output"))
            setting = prices.set_model(name, input, output)
        else:
            kind, name = (
                PriceKind.INSTANCE_TYPE,
                (await self.services.instance_types.get(name)).name,
            )
            setting = prices.set_instance_type(name, Money.parse(after["hour"], currency))
        known = (await find_current(self.services)).get((kind, name))
        await set_price(self.services, self.by, known, setting)

    async def _put_user(self, change: Change) -> None:
        users, entry = self.services.users, UserEntry.model_validate(change.after)
        verb = "users.create" if change.action is Action.CREATE else "users.update"
        async with self.services.audit.change(self.by, verb, change.name) as told:
            if change.action is Action.CREATE:
                user = await self._make_user(change.name, entry)
            else:
                user = await find_somebody(users, change.name)
                told.before = _tell(user)
            if user.administrator != entry.administrator:
                user = await users.set_administrator(user.id, entry.administrator)
            if user.disabled != entry.disabled:
                user = await users.disable(user.id, entry.disabled)
            told.after = _tell(user)

    async def _make_user(self, name: str, entry: UserEntry) -> User:
        """Somebody whom a provider vouches for is recognised when they come back."""
        users = self.services.users
        if entry.issuer is None or entry.subject is None:
            return await users.create_user(name, None, administrator=entry.administrator)
        vouched = Vouched(entry.issuer, entry.subject, name, frozenset(), entry.administrator)
        user = await users.sign_in_vouched(vouched)
        if user.name != name:
            raise Conflict(
                f"The provider's user {entry.subject!r} is {user.name!r} here. Use that name."
            )
        return user

    async def _put_project(self, change: Change) -> None:
        projects = self.services.projects
        said = {name: each for name, each in change.after.items() if name != "limits"}
        if change.action is Action.CREATE:
            await projects.create(self.by, change.name, **said)
        reached = await self._reach(change.name)
        if change.action is Action.DELETE:
            await delete_whole(self.services, reached)
            return
        changed = {name for name, each in said.items() if each != change.before.get(name)}
        if change.action is Action.UPDATE and changed:
            await projects.update(reached, None, **said)
        await self._limit(reached, LimitScope("project", change.name), change.after.get("limits"))
        if change.action is Action.CREATE:
            await self._leave(change.name)

    async def _leave(self, name: str) -> None:
        """Whoever makes a project owns it, but a document says itself who does."""
        wanted = (self.wanted.projects or {})[name].members or {}
        if self.by.session is not None and self.by.user.name not in wanted:
            await self.services.projects.remove_member(await self._reach(name), self.by.user)

    async def _put_member(self, change: Change) -> None:
        project, name = await self._split(change)
        user = await find_somebody(self.services.users, name)
        if change.action is Action.DELETE:
            await self.services.projects.remove_member(project, user)
        else:
            await self.services.projects.put_member(project, user, Role(change.after["role"]))

    async def _put_subscription(self, change: Change) -> None:
        project, name = await self._split(change)
        if change.action is Action.DELETE:
            await self.services.endpoints.require_unserved(project, ModelName(name))
            await self.services.subscriptions.delete(project, ModelName(name))
        else:
            offer = offer_of(self.services.models.get_model(name))
            await self.services.subscriptions.accept(project, offer)

    async def _put_endpoint(self, change: Change) -> None:
        project, name = await self._split(change)
        if change.action is Action.DELETE:
            await self.services.endpoints.delete(project, name)
            return
        entry = EndpointEntry.model_validate(change.after)
        models = {
            each.model: self.services.models.get_model(each.model)
            for each in entry.deployments.values()
        }
        wanted = self._read_endpoint(project, name, entry, {k: m.name for k, m in models.items()})
        if wanted.kind is EndpointKind.SERVERLESS:
            await self._require_accepted(project, wanted.model)
        await self.services.endpoints.put_whole(
            project, wanted, {model.name: model for model in models.values()}
        )
        await self._limit_endpoint(project, wanted.name, change.after)

    async def _limit_endpoint(self, project: ReachableProject, name: str, after: Fields) -> None:
        """Those of a minute are the endpoint's own, and there already."""
        own = {"requests_per_minute": None, "tokens_per_minute": None}
        await self._limit(
            project, LimitScope("endpoint", name), {**(after.get("limits") or {}), **own}
        )
        for key, said in (after.get("key_limits") or {}).items():
            await self._limit(project, scope_of_own_key(name, key), said)

    async def _limit_key(self, change: Change) -> None:
        project, name = await self._split(change)
        known = {key.name: key for key in await self.services.project_keys.list(project)}
        await self._limit(project, LimitScope("key", known[name].id), change.after["limits"])

    async def _limit(
        self, project: ReachableProject, scope: LimitScope, said: Fields | None
    ) -> None:
        if said is not None:
            limits = LimitsEntry.model_validate(said).model_dump()
            money = limits.pop("money_per_month")
            wanted = UseLimits(
                **limits, money_per_month=None if money is None else parse_amount(money)
            )
            await put_limits(self.services, project, scope, wanted)

    async def _put_budget(self, change: Change) -> None:
        project, id = await self._split(change)
        if change.action is Action.DELETE:
            await remove_budget(self.services, project, id)
            return
        said = dict(change.after)
        if said["scope"] == "key":
            keys = await self.services.project_keys.list(project)
            said["subject"] = {key.name: key.id for key in keys}[said["subject"]]
        order = await read_order(project, self.services, NewBudget.model_validate(said))
        if change.action is Action.CREATE:
            await add_budget(self.services, project, order, id)
        else:
            await replace_budget(self.services, project, id, order)

    async def _require_accepted(self, project: ReachableProject, model: ModelName) -> None:
        if await self.services.subscriptions.find(project, model) is None:
            raise Conflict(
                f"The project has not accepted the offer of {model}. Add it to the project's "
                "subscriptions."
            )

    def _read_endpoint(
        self,
        project: ReachableProject,
        name: str,
        entry: EndpointEntry,
        models: Mapping[str, ModelName],
    ) -> Endpoint:
        now = int(self.services.clock.now())
        kind = EndpointKind(entry.kind)
        shared = kind is EndpointKind.SERVERLESS
        deployments = tuple(
            Deployment(
                DeploymentName(each), _read_spec(said, models[said.model]), _read_scale(said), now
            )
            for each, said in sorted(entry.deployments.items())
        )
        usual = {deployments[0].name: 100} if len(deployments) == 1 else {}
        shares = usual if entry.traffic is None else entry.traffic
        traffic = {DeploymentName(each): share for each, share in shares.items()}
        made = Endpoint(
            name=EndpointName(name),
            kind=kind,
            project=project.name,
            created=now,
            deployments=deployments,
            traffic={each.name: 0 for each in deployments} | traffic,
            auth_mode=AuthMode(entry.auth_mode),
            key_seed=new_id("sed"),
            limits=_read_limits(entry, Limits() if shared else Limits(None, None)),
            content_safety=shared if entry.content_safety is None else entry.content_safety,
            expires=None if entry.expires is None else int(entry.expires.timestamp()),
            description=entry.description,
            tags=entry.tags,
        )
        if made.expires is not None and made.expires > now + SHARED_QUOTA_SECONDS:
            raise Conflict("An endpoint on the shared quota lives 168 hours at most.")
        if entry.keys is None:
            return made
        return replace(
            made,
            key_seed=entry.keys.seed,
            primary_generation=entry.keys.primary,
            secondary_generation=entry.keys.secondary,
        )

    async def _reach(self, name: str) -> ReachableProject:
        return await self.services.projects.reach(self.by, name, Right.GOVERN)

    async def _split(self, change: Change) -> tuple[ReachableProject, str]:
        """The project, and the name within it."""
        project, _, name = change.name.partition("/")
        return await self._reach(project), name


def _read_spec(said: DeploymentEntry, model: ModelName) -> Spec:
    return Spec(model, said.quantisation, said.slots, said.context_length)


def _read_scale(said: DeploymentEntry) -> Scale:
    if said.instance_type is not None:
        return Scale(said.instances, said.instances, said.instance_type)
    ceiling = max(said.max_replicas, said.min_replicas, 1)
    return Scale(
        said.min_replicas, said.max_replicas if "max_replicas" in said.model_fields_set else ceiling
    )


def _read_limits(entry: EndpointEntry, usual: Limits) -> Limits:
    if entry.limits is None:
        return usual
    said = entry.limits.model_fields_set
    limits = entry.limits
    return Limits(
        limits.tokens_per_minute if "tokens_per_minute" in said else usual.tokens_per_minute,
        limits.requests_per_minute if "requests_per_minute" in said else usual.requests_per_minute,
    )


def _tell(user: User) -> dict[str, Any]:
    """What the audit log keeps of a user."""
    return {
        "id": user.id,
        "name": user.name,
        "administrator": user.administrator,
        "disabled": user.disabled,
    }
