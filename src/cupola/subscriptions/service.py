"""The verbs of subscriptions: accept a model's offer for a project, and take that back."""

from collections.abc import Sequence
from typing import Any

from cupola.audit.service import Audit
from cupola.ids import ModelName
from cupola.kit.clock import Clock
from cupola.kit.errors import NotFound
from cupola.projects.service import ReachableProject
from cupola.subscriptions.model import Offer, Subscription
from cupola.subscriptions.ports import SubscriptionStore


class Subscriptions:
    """What projects have accepted."""

    def __init__(self, store: SubscriptionStore, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def accept(self, project: ReachableProject, offer: Offer) -> Subscription:
        """The project's subscription; if there is one already, it stays as it was accepted."""
        async with self._audit.change(
            project.by, "subscriptions.accept", offer.model, project.name
        ) as change:
            if (known := await self._store.find(project.name, offer.model)) is not None:
                return known
            subscription = Subscription(
                project=project.name,
                model=offer.model,
                accepted=int(self._clock.now()),
                accepted_by=project.by.user.name,
                license=offer.license,
                terms=offer.terms,
                price_input=offer.price_input,
                price_output=offer.price_output,
            )
            await self._store.add(subscription)
            change.after = _tell(subscription)
        return subscription

    async def find(self, project: ReachableProject, model: ModelName) -> Subscription | None:
        """None: the offer has not been accepted."""
        return await self._store.find(project.name, model)

    async def list(self, project: ReachableProject) -> Sequence[Subscription]:
        """Sorted by model."""
        return await self._store.list(project.name)

    async def delete(self, project: ReachableProject, model: ModelName) -> None:
        """Raises: NotFound."""
        async with self._audit.change(
            project.by, "subscriptions.delete", model, project.name
        ) as change:
            known = await self._store.find(project.name, model)
            if known is None:
                raise NotFound(f"The project {project.name!r} has no subscription to {model!r}.")
            change.before = _tell(known)
            await self._store.delete(project.name, model)


def _tell(subscription: Subscription) -> dict[str, Any]:
    """What the audit log keeps of a subscription."""
    return {
        "model": subscription.model,
        "license": subscription.license,
        "terms": subscription.terms,
        "price_input": str(subscription.price_input),
        "price_output": str(subscription.price_output),
    }
