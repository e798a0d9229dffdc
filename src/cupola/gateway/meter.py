"""Admitting a request, and keeping account of it until it has ended.

    admit     its limits have room and no budget forbids it: it is on record from now on
    progress  the tokens so far, which are billed if this process is killed
    settle    how it ended: on record before the last byte of its reply leaves, and what its limits
              reserved for it and it did not use is given back, so that whoever has read a reply to
              its end finds room for the next
    release   whatever happened: the same, of a request that did not come so far

`Metered` does this with the ledger and the limiter. `Unmetered` admits everything and keeps
nothing: for tests, and for whoever builds a gateway without either.
"""

import logging
from typing import Final, NamedTuple, Protocol

from cupola.gateway.directory import Caller, Served, ServedEndpoint
from cupola.http.asgi import Header
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, Forbidden, Unavailable
from cupola.metering.budget import Verdict
from cupola.metering.model import Ended, Opened, PriceKind, reckon
from cupola.metering.service import Prices
from cupola.metering.watch import BudgetWatch
from cupola.metering.writer import Ledger, Live
from cupola.quotas.model import Cost, Demand, Rate, Refused, Ticket, write_headers
from cupola.quotas.service import Limiter, refusal

GONE: Final = "client_gone"
"""The `finish` of a request whose caller hung up."""
FAILED: Final = "error"
"""That of one whose engine, or whose gateway, failed."""
_OUR_FAULT: Final = 500
"""From this status on a request that got nothing counts as none."""
_NO_RATE: Final = Rate()

_log = logging.getLogger(__name__)


class Order(NamedTuple):
    """What must be known of a request to admit it."""

    request: str
    dialect: str
    caller: Caller
    endpoint: ServedEndpoint
    served: Served
    prompt: int
    """Tokens, as they are estimated."""
    most: int
    """Tokens that the completion may have, all answers together."""


class Bill(NamedTuple):
    """What a request came to."""

    prompt: int
    completion: int
    cost: int = 0
    """Nano-units."""
    currency: str = ""
    """Empty: it had no price."""


class Passage(Protocol):
    """A request that was admitted.

    - `headers` are what its reply says of limits.
    - `settle` is called once at most, `release` exactly once and last; a request that was not
      settled by then is settled by it, as far as is known. None: it was.
    - `settle` returns when the record is durable, and its limits have back what was not used.
    """

    @property
    def headers(self) -> tuple[Header, ...]: ...

    def progress(self, prompt: int, completion: int) -> None: ...

    async def settle(self, ended: Ended) -> Bill: ...

    async def release(self, ended: Ended | None) -> None: ...


class Meter(Protocol):
    """Admits requests.

    - `admit` raises `RefusedByLimit` or another `CupolaError` if it does not; nothing is kept then.
    """

    async def admit(self, order: Order) -> Passage: ...


class RefusedByLimit(Exception):
    """A limit has no room. `error` is what the caller is told, `headers` go with it."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.error: CupolaError = refusal(refused)
        self.headers = tuple(write_headers(refused))


class Unmetered:
    """A `Meter` that admits everything."""

    async def admit(self, order: Order) -> Passage:
        return _FREE


class _FreePassage:
    """Costs nothing and is forgotten."""

    headers: tuple[Header, ...] = ()

    def progress(self, prompt: int, completion: int) -> None:
        pass

    async def settle(self, ended: Ended) -> Bill:
        return Bill(ended.prompt, ended.completion)

    async def release(self, ended: Ended | None) -> None:
        pass


_FREE: Final = _FreePassage()


class Metered:
    """The `Meter` of a server: limits, budgets, and the ledger."""

    def __init__(
        self, ledger: Ledger, limiter: Limiter, watch: BudgetWatch, prices: Prices, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._limiter = limiter
        self._watch = watch
        self._prices = prices
        self._clock = clock

    async def admit(self, order: Order) -> Passage:
        terms, caller, served = order.endpoint.terms, order.caller, order.served
        verdict = self._watch.refusal(terms.project, served.endpoint, caller.key)
        if verdict is not None:
            raise _refuse_budget(verdict)
        now = self._clock.now()
        price = self._prices.book().find(PriceKind.MODEL, served.model, now)
        rate = _NO_RATE if price is None else Rate(price.input, price.output)
        demand = self._limiter.estimate(served.model, order.prompt, order.most, rate)
        ticket = await self._limiter.admit(terms.bounds + caller.bounds, _doubt(demand))
        if type(ticket) is Refused:
            raise RefusedByLimit(ticket)
        assert type(ticket) is Ticket
        opened = Opened(
            order.request,
            now,
            terms.project,
            served.endpoint,
            served.deployment,
            terms.kind,
            caller.key,
            served.model,
            order.dialect,
            *(() if price is None else (price.currency, price.version, price.input, price.output)),
        )
        try:
            live = self._ledger.open(opened)
        except Unavailable:
            await self._limiter.settle(ticket, None)
            raise
        return _MeteredPassage(self._ledger, self._limiter, ticket, live, order.prompt)


class _MeteredPassage:
    """One request between the limiter's ticket and the ledger's record."""

    __slots__ = ("_ledger", "_limiter", "_live", "_prompt", "_spent", "_ticket", "_usual")

    def __init__(
        self, ledger: Ledger, limiter: Limiter, ticket: Ticket, live: Live, prompt: int
    ) -> None:
        self._ledger = ledger
        self._limiter = limiter
        self._ticket = ticket
        self._live = live
        self._prompt = prompt
        self._spent: Cost | None = None
        self._usual: int | None = None

    @property
    def headers(self) -> tuple[Header, ...]:
        return tuple(write_headers(self._ticket))

    def progress(self, prompt: int, completion: int) -> None:
        self._live.progress(prompt, completion)

    async def settle(self, ended: Ended) -> Bill:
        opened = self._live.opened
        durable = self._ledger.settle(self._live, ended)
        cost = reckon(opened, ended.prompt, ended.completion)
        self._note(ended, cost)
        try:
            await durable
        except Unavailable as error:
            # The journal has it, and writes it as soon as that is possible. To withhold the reply
            # would have its caller pay twice.
            _log.error("%s is not in the ledger yet: %s", opened.request, error)
        # Not earlier: what the ledger does not know yet, its next correction would take back.
        await self._give_back()
        return Bill(ended.prompt, ended.completion, cost, opened.currency)

    async def release(self, ended: Ended | None) -> None:
        if ended is not None and self._live.slot >= 0:
            opened = self._live.opened
            self._ledger.settle(self._live, ended).add_done_callback(_take_exception)
            self._note(ended, reckon(opened, ended.prompt, ended.completion))
        if self._ticket.is_open:
            await self._give_back()

    async def _give_back(self) -> None:
        await self._limiter.settle(
            self._ticket, self._spent, model=self._live.opened.model, completion=self._usual
        )

    def _note(self, ended: Ended, cost: int) -> None:
        """What limits are charged. A prompt that no engine has counted counts as it was estimated:
        whoever hangs up early shall not get more through than others."""
        if ended.counted:
            self._spent = Cost(ended.prompt + ended.completion, cost)
            self._usual = ended.completion
        elif ended.completion or ended.finish == GONE:
            self._spent = Cost((ended.prompt or self._prompt) + ended.completion, cost)
        elif ended.status < _OUR_FAULT:
            self._spent = Cost()


def _doubt(demand: Demand) -> Demand:
    """Half of a prompt's estimate is certain, the rest as much a guess as the completion: a guess
    never makes a request too large for a limit."""
    prompt, completion = demand
    tokens, money = prompt.tokens // 2, prompt.money // 2
    guessed = Cost(
        completion.tokens + prompt.tokens - tokens, completion.money + prompt.money - money
    )
    return Demand(Cost(tokens, money), guessed)


def _take_exception(durable: object) -> None:
    """Nobody waits for this record, and the ledger itself has said why it cannot be written."""
    durable.exception()  # type: ignore[attr-defined]


def _refuse_budget(verdict: Verdict) -> Forbidden:
    """403 and not 429: clients would send it again and again, and only a person can help."""
    budget = verdict.budget
    whose = f"the {budget.scope.value} {budget.subject!r}" if budget.scope != "key" else "this key"
    when = {"day": "until the next day (UTC)", "month": "until the next month (UTC)"}
    return Forbidden(
        f"The budget of {whose}, {budget.spell(budget.amount)}, is spent, and nothing more is "
        f"admitted {when.get(budget.period.value, 'until it is raised')}. Ask an owner of the "
        "project to raise it.",
        private=f"The budget {budget.id} is spent: {budget.spell(verdict.spent)}.",
    )
