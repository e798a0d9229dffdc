"""What subscriptions need from outside: a place that keeps them."""

from collections.abc import Sequence
from typing import Protocol

from cupola.ids import ModelName, ProjectName
from cupola.subscriptions.model import Subscription


class SubscriptionStore(Protocol):
    """Keeps subscriptions.

    - `add` of one that is there already leaves it as it is.
    - `delete` says whether there was one.
    - `list` is sorted by model.
    """

    async def add(self, subscription: Subscription) -> None: ...

    async def find(self, project: ProjectName, model: ModelName) -> Subscription | None: ...

    async def delete(self, project: ProjectName, model: ModelName) -> bool: ...

    async def list(self, project: ProjectName) -> Sequence[Subscription]: ...
