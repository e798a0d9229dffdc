"""What other rooms keep under the names of endpoints, keys and projects."""

from collections.abc import Iterable
from dataclasses import dataclass

from cupola.metering.budget import Scope as BudgetScope
from cupola.metering.ports import BudgetStore
from cupola.quotas.model import OWN_KEYS, scope_of_own_key
from cupola.quotas.model import Scope as LimitScope
from cupola.quotas.ports import LimitStore


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
