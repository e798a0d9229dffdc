"""`/projects/{project}/subscriptions`: the offers that a project has accepted."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response, status
from pydantic import Field

from cupola.catalog.model import Model
from cupola.control.authority import Deployable, Readable
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.services import Parts
from cupola.control.shapes import Asked, Time, Told, when
from cupola.ids import ModelName
from cupola.subscriptions.model import Offer, Subscription

router = APIRouter(tags=["subscriptions"])

AnyModel = Annotated[
    str, Path(description="A model's name.", examples=["Cupola-Pilot"], max_length=200)
]


class SubscriptionResource(Told):
    """What was accepted, as it was then."""

    model: str
    project: str
    accepted: Time
    accepted_by: str
    license: str
    terms: str = Field(description="The address of the terms that were accepted.")
    price_input: str = Field(description="Of 1,000 tokens of prompts.", examples=["0.0005"])
    price_output: str = Field(description="Of 1,000 tokens of completions.", examples=["0.0015"])


class Acceptance(Asked):
    """The terms are read and accepted."""

    accept_terms: Literal[True]


def offer_of(model: Model) -> Offer:
    """What a model is offered under today."""
    price = model.price
    return Offer(model.name, model.license, model.terms, price.input, price.output)


@router.get("/projects/{project}/subscriptions", summary="List subscriptions")
async def list_subscriptions(
    project: Readable, services: Parts, page: AnyPage
) -> Page[SubscriptionResource]:
    subscriptions = await services.subscriptions.list(project)

    async def read(after: str, limit: int) -> list[Subscription]:
        return [*slice_after(subscriptions, lambda each: each.model, after, limit)]

    return await page.fetch(read, lambda each: each.model, _show)


@router.put(
    "/projects/{project}/subscriptions/{model}",
    summary="Accept a model's offer",
    responses={201: {"description": "It was not yet.", "model": SubscriptionResource}},
)
async def accept(
    project: Deployable, model: AnyModel, body: Acceptance, services: Parts, response: Response
) -> SubscriptionResource:
    """Needed once per project, before the model's first serverless deployment. A second time
    changes nothing."""
    offer = offer_of(services.models.get_model(model))
    if await services.subscriptions.find(project, offer.model) is None:
        response.status_code = status.HTTP_201_CREATED
    return _show(await services.subscriptions.accept(project, offer))


@router.delete(
    "/projects/{project}/subscriptions/{model}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="End a subscription",
)
async def end(project: Deployable, model: AnyModel, services: Parts) -> None:
    """Not while a serverless endpoint of the project rests on it."""
    async with services.work.transaction():
        await services.endpoints.require_unserved(project, ModelName(model))
        await services.subscriptions.delete(project, ModelName(model))


def _show(subscription: Subscription) -> SubscriptionResource:
    return SubscriptionResource(
        model=subscription.model,
        project=subscription.project,
        accepted=when(subscription.accepted),
        accepted_by=subscription.accepted_by,
        license=subscription.license,
        terms=subscription.terms,
        price_input=str(subscription.price_input),
        price_output=str(subscription.price_output),
    )
