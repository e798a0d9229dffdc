"""Finding models: what people filter the catalog by."""

from collections.abc import Sequence
from dataclasses import dataclass

from cupola.catalog.model import Capability, DeploymentKind, Model, Task


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """What a model must be; None asks for nothing. Names are compared without regard to case."""

    collection: str | None = None
    publisher: str | None = None
    task: Task | None = None
    capability: Capability | None = None
    license: str | None = None
    deployment: DeploymentKind | None = None
    """The kind of endpoint it is offered for."""
    text: str | None = None
    """Words that all occur in its name, publisher, collection or summary."""
    memory: int | None = None
    """Bytes that one of its weights must fit into; a model whose need is unknown does not."""

    def matches(self, model: Model) -> bool:
        """Whether `model` is one of those looked for."""
        return (
            _same(self.collection, model.collection)
            and _same(self.publisher, model.publisher)
            and _same(self.license, model.license)
            and self.task in (None, model.task)
            and (self.capability is None or self.capability in model.capabilities)
            and (self.deployment is None or self.deployment in model.deployments)
            and self._says(model)
            and (self.memory is None or fits(model, self.memory))
        )

    def _says(self, model: Model) -> bool:
        if self.text is None:
            return True
        texts = (model.name, model.publisher, model.collection, model.summary)
        said = " ".join(texts).casefold()
        return all(word in said for word in self.text.casefold().split())


def search(models: Sequence[Model], wanted: ModelFilter) -> Sequence[Model]:
    """Those of `models` that match, in the same order."""
    return [model for model in models if wanted.matches(model)]


def fits(model: Model, memory: int) -> bool:
    """Whether at least one of its weights can serve a conversation in `memory` bytes."""
    needs = (model.least_memory(weights.quantisation) for weights in model.weights)
    return any(need is not None and need <= memory for need in needs)


def _same(wanted: str | None, value: str) -> bool:
    return wanted is None or wanted.casefold() == value.casefold()
