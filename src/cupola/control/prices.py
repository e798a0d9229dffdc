"""`/prices`: what tokens of models and hours of instance types cost, and did.

A price is never changed: a new one holds from its moment on, and what was used before keeps its
own.
"""

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from cupola.control.authority import Administrator, Caller
from cupola.control.instance_types import TypeName
from cupola.control.paging import AnyPage, Page
from cupola.control.services import Parts, Services
from cupola.control.shapes import Amount, Asked, Currency, Time, Told, when
from cupola.control.subscriptions import AnyModel
from cupola.identity.model import Principal
from cupola.kit.money import Money, format_amount
from cupola.metering.model import Price, PriceBook, PriceKind

router = APIRouter(tags=["prices"])

_Moment = Annotated[AwareDatetime, Field(strict=False)]


class _NewPrice(Asked):
    """What every price has."""

    currency: Currency
    valid_from: _Moment | None = Field(
        default=None,
        description="Null: from now on. A moment that has passed is refused.",
        examples=["2027-01-01T00:00:00Z"],
    )


class NewModelPrice(_NewPrice):
    """What 1,000 tokens cost."""

    input: Amount = Field(description="Of prompts.", examples=["0.0005"])
    output: Amount = Field(description="Of completions.", examples=["0.0015"])


class NewInstancePrice(_NewPrice):
    """What an hour of one instance costs."""

    hour: Amount = Field(examples=["0.10"])


class PriceResource(Told):
    """A price; the amounts that its kind does not have are null."""

    version: int = Field(description="Given in order; records of the ledger name it.")
    kind: PriceKind
    name: str = Field(description="Of the model, or the instance type.")
    currency: Currency
    valid_from: Time
    input: Amount | None = Field(description="Of 1,000 tokens of prompts.")
    output: Amount | None = Field(description="Of 1,000 tokens of completions.")
    hour: Amount | None = Field(description="Of an hour of one instance.")
    current: bool = Field(description="Whether it is the one that holds now.")


@router.get("/prices", summary="List prices")
async def list_prices(
    caller: Caller,
    services: Parts,
    page: AnyPage,
    current: Annotated[bool, Query(description="Only those that hold now.")] = False,
) -> Page[PriceResource]:
    """In the order in which they were set: those that were, are and will be."""
    await services.prices.refresh()
    prices = await services.prices.list()

    async def read(after: str, limit: int) -> list[PriceResource]:
        shown = (_show(services, each) for each in prices if each.version > int(after or 0))
        return [each for each in shown if each.current or not current][:limit]

    return await page.fetch(read, lambda each: str(each.version), lambda each: each)


@router.put("/prices/models/{model}", summary="Set a model's price")
async def put_model(
    model: AnyModel, body: NewModelPrice, by: Administrator, services: Parts
) -> PriceResource:
    """The same price again changes nothing."""
    name = services.models.get_model(model).name
    per_input = Money.parse(body.input, body.currency)
    per_output = Money.parse(body.output, body.currency)
    moment = _read_moment(body.valid_from)
    known = await _find(services, PriceKind.MODEL, name, moment)
    amounts = (body.currency, per_input.nano, per_output.nano)
    if known is not None and amounts == (known.currency, known.input, known.output):
        return _show(services, known)
    setting = services.prices.set_model(name, per_input, per_output, moment)
    return await _set(services, by, known, setting)


@router.put("/prices/instance-types/{name}", summary="Set an instance type's price")
async def put_instance_type(
    name: TypeName, body: NewInstancePrice, by: Administrator, services: Parts
) -> PriceResource:
    """The same price again changes nothing."""
    known_type = await services.instance_types.get(name)
    per_hour = Money.parse(body.hour, body.currency)
    moment = _read_moment(body.valid_from)
    known = await _find(services, PriceKind.INSTANCE_TYPE, known_type.name, moment)
    if known is not None and (body.currency, per_hour.nano) == (known.currency, known.hour):
        return _show(services, known)
    setting = services.prices.set_instance_type(known_type.name, per_hour, moment)
    return await _set(services, by, known, setting)


async def find_current(services: Services) -> Mapping[tuple[PriceKind, str], Price]:
    """The prices that hold from the next second on if nothing is changed, which is when one that
    is set now begins."""
    return PriceBook(await services.prices.list()).current(services.clock.now() + 1)


async def set_price(
    services: Services, by: Principal, known: Price | None, setting: Awaitable[Price]
) -> Price:
    """In a unit of work; whoever began it refreshes the prices when it is done."""
    async with services.work.transaction():
        made = await setting
        before = None if known is None else _note(known)
        target = f"{made.of} {made.name}"
        await services.audit.record(by, "prices.set", target, None, before, _note(made))
    return made


async def _find(services: Services, kind: PriceKind, name: str, moment: int | None) -> Price | None:
    """The price that would hold at `moment` anyway."""
    await services.prices.refresh()
    at = services.clock.now() + 1 if moment is None else moment
    return services.prices.book().find(kind, name, at)


async def _set(
    services: Services, by: Principal, known: Price | None, setting: Awaitable[Price]
) -> PriceResource:
    made = await set_price(services, by, known, setting)
    await services.prices.refresh()
    services.fleet.wake()
    return _show(services, made)


def _read_moment(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _note(price: Price) -> dict[str, Any]:
    """What the audit log keeps."""
    amounts = {name: format_amount(getattr(price, name)) for name in _AMOUNTS[price.of]}
    return {"currency": price.currency, "valid_from": price.valid_from, **amounts}


_AMOUNTS = {PriceKind.MODEL: ("input", "output"), PriceKind.INSTANCE_TYPE: ("hour",)}


def _show(services: Services, price: Price) -> PriceResource:
    holds = services.prices.book().find(price.of, price.name, services.clock.now())
    amounts = {
        name: format_amount(getattr(price, name)) if name in _AMOUNTS[price.of] else None
        for name in ("input", "output", "hour")
    }
    return PriceResource(
        version=price.version,
        kind=price.of,
        name=price.name,
        currency=price.currency,
        valid_from=when(price.valid_from),
        current=holds is not None and holds.version == price.version,
        **amounts,
    )
