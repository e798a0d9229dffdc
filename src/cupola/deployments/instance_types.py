"""The verbs of instance types: what managed deployments' instances may be, for administrators."""

from collections.abc import Sequence

from msgspec import to_builtins

from cupola.audit.service import Audit
from cupola.deployments import rules
from cupola.deployments.model import InstanceType
from cupola.deployments.ports import EndpointStore, InstanceTypeStore
from cupola.identity.model import Principal
from cupola.kit.errors import Conflict, NotFound
from cupola.projects.service import require_administrator


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
