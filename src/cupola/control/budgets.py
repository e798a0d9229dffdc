"""`/projects/{project}/budgets` and `/notices`: what may be spent, and what was said about it."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Response, status
from pydantic import Field

from cupola.control.authority import Governable, Readable
from cupola.control.operations import ROOT
from cupola.control.paging import AnyPage, Page, slice_after
from cupola.control.repetition import RepeatableRoute
from cupola.control.services import Parts, Services
from cupola.control.shapes import Amount, Asked, Currency, Line, Time, Told, when, when_if
from cupola.control.versions import Expected, mark, require
from cupola.kit.errors import Malformed, NotFound
from cupola.kit.money import LARGEST, format_amount, parse_amount
from cupola.metering.budget import TOKENS, Budget, Notice, Period, Scope, Verdict, start_of
from cupola.metering.service import BudgetOrder
from cupola.projects.model import Right
from cupola.projects.service import ReachableProject

router = APIRouter(tags=["budgets"], route_class=RepeatableRoute)

_MOST_SHARE = 1000
_LONGEST_URL = 500
BudgetId = Annotated[
    str, Path(description="A budget's id.", examples=["bud_0a1b2c"], max_length=100)
]


class NewBudget(Asked):
    """What may be spent: money (`amount` and `currency`), or `tokens`."""

    scope: Literal["project", "endpoint", "key"] = "project"
    subject: Line | None = Field(
        default=None, description="The endpoint's name or the project key's id; null: the project."
    )
    amount: Amount | None = Field(default=None, examples=["100"])
    currency: Currency | None = None
    tokens: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    period: Literal["day", "month", "total"] = Field(
        default="month", description="When counting begins anew, in UTC."
    )
    warn: list[Annotated[int, Field(ge=1, le=_MOST_SHARE)]] = Field(
        default=[80, 100], max_length=10, description="Per cent at which a notice is given, rising."
    )
    refuse: bool = Field(default=False, description="Whether requests are refused at 100 %.")
    webhook: Annotated[Line, Field(max_length=_LONGEST_URL)] | None = Field(
        default=None,
        description="Where notices are posted, signed.",
        examples=["https://example.com/hooks/budget"],
    )


class BudgetResource(Told):
    """A budget, and how it stands."""

    id: str
    project: str
    scope: Scope
    subject: str
    amount: Amount | None = Field(description="Null: it is one of tokens.")
    currency: Currency | None
    tokens: int | None = Field(description="Null: it is one of money.")
    period: Period
    period_start: Time | None = Field(description="Null: it counts from the beginning.")
    warn: list[int]
    refuse: bool
    webhook: str | None = Field(
        description="Without its path for those who may not govern: it may hold a secret."
    )
    spent_amount: Amount | None
    spent_tokens: int | None
    share: int = Field(description="Per cent that is spent, rounded down.")
    refusing: bool = Field(description="Whether requests are refused now.")
    created: Time
    version: int


class NoticeResource(Told):
    """A warning that was given, and how its delivery stands."""

    id: str
    budget: str = Field(description="Its id; the budget may be gone by now.")
    share: int = Field(description="Per cent.")
    period_start: Time | None
    created: Time
    message: dict[str, Any] = Field(description="What the webhook gets.")
    attempts: int
    delivered: Time | None
    next_attempt: Time | None = Field(description="Null: delivered, given up, or no webhook.")
    failure: str = Field(description="Why the last attempt failed.")


@router.get("/projects/{project}/budgets", summary="List budgets")
async def list_budgets(project: Readable, services: Parts, page: AnyPage) -> Page[BudgetResource]:
    budgets = await services.budgets.list(project.name)

    async def read(after: str, limit: int) -> list[Verdict]:
        return [*slice_after(budgets, lambda each: each.budget.id, after, limit)]

    return await page.fetch(
        read, lambda each: each.budget.id, lambda each: _show(project, services, each)
    )


@router.post(
    "/projects/{project}/budgets", status_code=status.HTTP_201_CREATED, summary="Make a budget"
)
async def create_budget(
    project: Governable, body: NewBudget, services: Parts, response: Response
) -> BudgetResource:
    order = await read_order(project, services, body)
    made = await add_budget(services, project, order)
    services.on_budgets()
    response.headers["location"] = f"{ROOT}/projects/{project.name}/budgets/{made.id}"
    return await _answer(project, services, response, made)


@router.get("/projects/{project}/budgets/{budget}", summary="Show a budget")
async def get_budget(
    project: Readable, budget: BudgetId, services: Parts, response: Response
) -> BudgetResource:
    found = await services.budgets.get(project.name, budget)
    return await _answer(project, services, response, found)


@router.put("/projects/{project}/budgets/{budget}", summary="Change a budget")
async def put_budget(
    project: Governable,
    budget: BudgetId,
    body: NewBudget,
    services: Parts,
    response: Response,
    expected: Expected,
) -> BudgetResource:
    """The whole of it; shares that were warned of in its period are not warned of again."""
    order = await read_order(project, services, body)
    saved = await replace_budget(services, project, budget, order, expected)
    services.on_budgets()
    return await _answer(project, services, response, saved)


@router.delete(
    "/projects/{project}/budgets/{budget}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Delete a budget",
)
async def delete_budget(
    project: Governable, budget: BudgetId, services: Parts, expected: Expected
) -> None:
    """Its notices stay."""
    await remove_budget(services, project, budget, expected)
    services.on_budgets()


@router.get("/projects/{project}/notices", summary="List warnings, newest first")
async def list_notices(project: Readable, services: Parts) -> Page[NoticeResource]:
    """The last hundred, of budgets that are and that were."""
    notices = await services.budgets.notices(project.name)
    return Page(items=[_show_notice(each) for each in notices], next=None)


async def add_budget(
    services: Services, project: ReachableProject, order: BudgetOrder, id: str | None = None
) -> Budget:
    """A new one, of a new id if none is given, in one unit of work with its line in the audit log,
    as the next two."""
    async with services.work.transaction():
        made = await services.budgets.create(project.name, order, id)
        await services.audit.record(
            project.by, "budgets.create", made.id, project.name, None, _note(made)
        )
    return made


async def replace_budget(
    services: Services,
    project: ReachableProject,
    id: str,
    order: BudgetOrder,
    expected: int | None = None,
) -> Budget:
    """Another in its place. Raises: Stale, if it has not the version that is expected."""
    async with services.audit.change(project.by, "budgets.update", id, project.name) as change:
        known = await services.budgets.get(project.name, id)
        require(expected, known.version, f"The budget {id!r}")
        saved = await services.budgets.change(project.name, id, order, known.version)
        change.before, change.after = _note(known), _note(saved)
    return saved


async def remove_budget(
    services: Services, project: ReachableProject, id: str, expected: int | None = None
) -> None:
    """Its notices stay. Raises: as `replace_budget`."""
    async with services.audit.change(project.by, "budgets.delete", id, project.name) as change:
        known = await services.budgets.get(project.name, id)
        require(expected, known.version, f"The budget {id!r}")
        change.before = _note(known)
        await services.budgets.delete(project.name, id)


async def read_order(project: ReachableProject, services: Services, body: NewBudget) -> BudgetOrder:
    """Raises: Malformed, for what fits no budget, or is not there."""
    unit, amount = _read_amount(body)
    return BudgetOrder(
        Scope(body.scope),
        await _read_subject(project, services, body),
        unit,
        amount,
        Period(body.period),
        tuple(body.warn),
        body.refuse,
        body.webhook,
    )


def _read_amount(body: NewBudget) -> tuple[str, int]:
    if body.tokens is not None:
        if body.amount is not None or body.currency is not None:
            raise Malformed(
                "tokens: A budget is of tokens or of money, not of both.", path=("tokens",)
            )
        return TOKENS, body.tokens
    if body.amount is None or body.currency is None:
        missing = "amount" if body.amount is None else "currency"
        raise Malformed(
            f"{missing}: A budget has an amount with its currency, or tokens.", path=(missing,)
        )
    nano = parse_amount(body.amount)
    if nano == 0:
        raise Malformed("amount: A budget is more than nothing.", path=("amount",))
    return body.currency, nano


async def _read_subject(project: ReachableProject, services: Services, body: NewBudget) -> str:
    if body.scope == "project":
        if body.subject not in (None, project.name):
            raise Malformed(
                "subject: A project's budget is for that project. Leave it out.", path=("subject",)
            )
        return project.name
    if not body.subject:
        raise Malformed(f"subject: Name the {body.scope}.", path=("subject",))
    try:
        if body.scope == "endpoint":
            return (await services.endpoints.get(project, body.subject)).name
        return (await services.project_keys.get(project, body.subject)).id
    except NotFound as error:
        raise Malformed(error.public, path=("subject",)) from error


async def _answer(
    project: ReachableProject, services: Services, response: Response, budget: Budget
) -> BudgetResource:
    mark(response, budget.version)
    return _show(project, services, await services.budgets.judge(budget))


def _show(project: ReachableProject, services: Services, verdict: Verdict) -> BudgetResource:
    budget = verdict.budget
    tokens = budget.unit == TOKENS
    start = start_of(budget.period, services.clock.now())
    return BudgetResource(
        id=budget.id,
        project=budget.project,
        scope=budget.scope,
        subject=budget.subject,
        amount=None if tokens else format_amount(budget.amount),
        currency=None if tokens else budget.unit,
        tokens=budget.amount if tokens else None,
        period=budget.period,
        period_start=when_if(start or None),
        warn=list(budget.warn),
        refuse=budget.refuse,
        webhook=budget.webhook if Right.GOVERN in project.rights else _origin(budget.webhook),
        spent_amount=None if tokens else format_amount(verdict.spent),
        spent_tokens=verdict.spent if tokens else None,
        share=verdict.spent * 100 // budget.amount,
        refusing=verdict.refused,
        created=when(budget.created),
        version=budget.version,
    )


def _show_notice(notice: Notice) -> NoticeResource:
    return NoticeResource(
        id=notice.id,
        budget=notice.budget,
        share=notice.share,
        period_start=when_if(notice.start or None),
        created=when(notice.created),
        message=json.loads(notice.body),
        attempts=notice.attempts,
        delivered=when_if(notice.delivered),
        next_attempt=when_if(notice.due),
        failure=notice.failure,
    )


def _origin(webhook: str | None) -> str | None:
    """Of an address that may hold a secret, what may be told."""
    if webhook is None:
        return None
    parts = urlsplit(webhook)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _note(budget: Budget) -> dict[str, Any]:
    """What the audit log keeps."""
    return {
        "scope": budget.scope.value,
        "subject": budget.subject,
        "amount": budget.spell(budget.amount),
        "period": budget.period.value,
        "warn": list(budget.warn),
        "refuse": budget.refuse,
        "webhook": _origin(budget.webhook),
        "version": budget.version,
    }
