"""`/models`: the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status
from pydantic import Field, StringConstraints

from cupola.catalog.model import Capability, DeploymentKind, Model, Task
from cupola.catalog.search import ModelFilter, search
from cupola.control.authority import Administrator, Caller
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.repetition import SlowRepeatableRoute
from cupola.control.services import Parts
from cupola.control.shapes import Asked, ModelName, Told
from cupola.control.subscriptions import AnyModel
from cupola.kit.errors import Malformed

router = APIRouter(tags=["models"], route_class=SlowRepeatableRoute)

_Word = Annotated[str | None, Query(max_length=200)]


class WeightsResource(Told):
    """A model's parameters in one quantisation."""

    quantisation: str
    format: str
    repository: str | None
    size: int | None = Field(description="Bytes of all files; null: not known.")
    least_memory: int | None = Field(description="Bytes that it needs; null: not to be known.")
    fits: bool | None = Field(description="Whether that fits this machine.")


class ModelResource(Told):
    """An entry of the catalog."""

    name: str
    publisher: str
    collection: str
    summary: str
    task: Task
    license: str
    terms: str = Field(description="The address of the licence's text.")
    preview: bool
    languages: list[str] = Field(description="ISO 639-1 codes, best first.")
    context_length: int
    parameters: int | None
    capabilities: list[Capability]
    deployments: list[DeploymentKind] = Field(description="Kinds of endpoint it is offered for.")
    engines: list[str]
    price_input: str = Field(description="Of 1,000 tokens of prompts.")
    price_output: str = Field(description="Of 1,000 tokens of completions.")
    weights: list[WeightsResource]
    fits: bool | None = Field(description="Whether this machine can run it; null: not known.")


class NewModel(Asked):
    """A model of your own: either `path` or `repository`."""

    name: ModelName
    path: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = Field(
        default=None, description="A GGUF file, or a folder of safetensors, on the server."
    )
    repository: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None,
        description="Of the hub.",
        examples=["OWNER/NAME"],
        pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$",
    )


@dataclass(frozen=True, slots=True)
class Wish:
    """What a model must be; None asks for nothing. Names are compared without regard to case."""

    collection: _Word = None
    publisher: _Word = None
    task: Task | None = None
    capability: Capability | None = None
    license: _Word = None
    deployment: DeploymentKind | None = None
    fits: Annotated[bool | None, Query(description="Whether this machine can run it.")] = None
    q: Annotated[str | None, Query(max_length=200, description="Words that all occur.")] = None

    def find(self, models: Sequence[Model], memory: int) -> Sequence[Model]:
        """Those that are looked for, on a machine of so many bytes."""
        wanted = ModelFilter(
            collection=self.collection,
            publisher=self.publisher,
            task=self.task,
            capability=self.capability,
            license=self.license,
            deployment=self.deployment,
            text=self.q,
        )
        found = search(models, wanted)
        return [each for each in found if self.fits in (None, bool(_fits(each, memory)))]


@router.get("/models", summary="Search the catalog")
async def list_models(
    caller: Caller, services: Parts, page: AnyPage, wish: Annotated[Wish, Depends()]
) -> Page[ModelResource]:
    memory = services.memory()
    found = wish.find(services.models.list_models(), memory)

    async def read(after: str, limit: int) -> list[Model]:
        return [*slice_after(found, lambda model: model.name, after, limit)]

    return await page.fetch(read, lambda model: model.name, lambda model: _show(model, memory))


@router.get("/models/{model}", summary="Show a model")
async def get_model(model: AnyModel, caller: Caller, services: Parts) -> ModelResource:
    return _show(services.models.get_model(model), services.memory())


@router.post("/models", status_code=status.HTTP_201_CREATED, summary="Add a model of your own")
async def add_model(body: NewModel, by: Administrator, services: Parts) -> ModelResource:
    """Files are checked first; those of a repository are fetched when a deployment needs them."""
    if (body.path is None) == (body.repository is None):
        raise Malformed("Give either 'path' or 'repository'.", path=("path",))
    if body.path is not None:
        model = await services.models.add_local(FilePath(body.path), body.name)
    else:
        model = await services.models.add_repository(body.repository or "", body.name)
    async with services.audit.change(by, "models.add", model.name) as change:
        change.after = {"path": body.path, "repository": body.repository}
    return _show(model, services.memory())


@router.delete(
    "/models/{model}", status_code=status.HTTP_204_NO_CONTENT, summary="Remove a model you added"
)
async def remove_model(model: AnyModel, by: Administrator, services: Parts) -> None:
    """Not while an endpoint has it."""
    async with services.work.transaction():
        known = services.models.get_model(model)
        await services.endpoints.require_unused(known.name)
        async with services.audit.change(by, "models.remove", known.name) as change:
            change.before = {"publisher": known.publisher, "collection": known.collection}
            services.models.remove(known.name)


def _fits(model: Model, memory: int) -> bool | None:
    needs = [model.least_memory(weights.quantisation) for weights in model.weights]
    known = [need for need in needs if need is not None]
    return min(known) <= memory if known else None


def _show(model: Model, memory: int) -> ModelResource:
    return ModelResource(
        name=model.name,
        publisher=model.publisher,
        collection=model.collection,
        summary=model.summary,
        task=model.task,
        license=model.license,
        terms=model.terms,
        preview=model.preview,
        languages=list(model.languages),
        context_length=model.context_length,
        parameters=model.parameters,
        capabilities=sorted(model.capabilities),
        deployments=list(model.deployments),
        engines=list(model.engines),
        price_input=str(model.price.input),
        price_output=str(model.price.output),
        weights=[WeightsResource(**each) for each in _show_weights(model, memory)],
        fits=_fits(model, memory),
    )


def _show_weights(model: Model, memory: int) -> list[dict[str, Any]]:
    shown = []
    for weights in model.weights:
        sizes = [file.size for file in weights.files]
        need = model.least_memory(weights.quantisation)
        shown.append(
            {
                "quantisation": weights.quantisation.value,
                "format": weights.format.value,
                "repository": weights.repository,
                "size": sum(filter(None, sizes)) if sizes and None not in sizes else None,
                "least_memory": need,
                "fits": None if need is None else need <= memory,
            }
        )
    return shown
