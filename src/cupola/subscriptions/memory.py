"""Subscriptions that live as long as the object: the fake that ships."""

from collections.abc import Sequence

from cupola.ids import ModelName, ProjectName
from cupola.subscriptions.model import Subscription


class MemorySubscriptions:
    """A `SubscriptionStore` without a database; it forgets at the end of the process."""

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[ProjectName, ModelName], Subscription] = {}

    async def add(self, subscription: Subscription) -> None:
        key = (subscription.project, subscription.model)
        self._subscriptions.setdefault(key, subscription)

    async def find(self, project: ProjectName, model: ModelName) -> Subscription | None:
        return self._subscriptions.get((project, model))

    async def delete(self, project: ProjectName, model: ModelName) -> bool:
        return self._subscriptions.pop((project, model), None) is not None

    async def list(self, project: ProjectName) -> Sequence[Subscription]:
        return [each for key, each in sorted(self._subscriptions.items()) if key[0] == project]
