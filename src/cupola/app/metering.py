"""The ledger and the limits of a running server, joined and at work in the background."""

import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from cupola.app.state import State
from cupola.db.database import Database
from cupola.db.migration import ensure_ledger
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, Invalid, Unavailable
from cupola.kit.tasks import cancel, supervise
from cupola.metering.loop import deliver_notices, expire_records, watch_budgets
from cupola.metering.model import HOUR
from cupola.metering.ports import NoticeStore, RecordStore, Sender, UsageStore
from cupola.metering.postgresql import PostgresqlRecords
from cupola.metering.rules import SETTING, WebhookRule
from cupola.metering.service import Budgets, Prices, Usage
from cupola.metering.sqlite import SqliteRecords
from cupola.metering.store import SqlIntervals, SqlNotices, SqlPrices, SqlUsage
from cupola.metering.usage import Dimension, Query
from cupola.metering.watch import BudgetWatch
from cupola.metering.webhook import HttpSender
from cupola.metering.writer import Ledger
from cupola.quotas.memory import MemoryCounters
from cupola.quotas.model import Bound, Cost, Limits, Scope, find_own_key
from cupola.quotas.ports import Counters, LimitStore, SpentSource
from cupola.quotas.service import Limiter, Options
from cupola.settings import Settings

_MOST_CURRENCIES: Final = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Metering:
    """What counts requests, limits them and keeps what they used."""

    ledger: Ledger
    usage: Usage
    prices: Prices
    budgets: Budgets
    notices: NoticeStore
    watch: BudgetWatch
    limits: LimitStore
    """Where people's limits for scopes lie."""
    limiter: Limiter
    kept: "KeptLimits"
    """The same limits in memory."""


class KeptLimits:
    """All limits that people set, as they were read last.

    A limit of a day or a month begins with what the ledger knows of it, before any request meets
    it.
    """

    def __init__(self, store: LimitStore, limiter: Limiter, spent: SpentSource) -> None:
        self._store = store
        self._limiter = limiter
        self._spent = spent
        self._bounds: Sequence[Bound] = ()

    async def refresh(self) -> Mapping[Scope, Limits]:
        """Read them anew; by their scopes."""
        bounds = await self._store.list()
        seeded = {bound.scope for bound in self._bounds if bound.limits.by_calendar}
        new = [bound for bound in bounds if bound.scope not in seeded]
        try:
            await self._limiter.reseed(new, self._spent)
        except Unavailable as error:
            # The limits hold all the same, and `keep_seeded` will tell them what was spent.
            _log.warning("What was spent cannot be read now, and is counted from here: %s", error)
        self._bounds = bounds
        return {bound.scope: bound.limits for bound in bounds}

    async def keep_seeded(self, seconds: float) -> None:
        """Correct what is counted by the ledger's word, again and again."""
        await self._limiter.keep_seeded(lambda: self._bounds, self._spent, seconds)


class LedgerSpent:
    """The `SpentSource` that asks the ledger's roll-ups.

    Money is summed whatever its currency: an installation has one.
    """

    def __init__(self, store: UsageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find_spent(self, scope: Scope, since: float) -> Cost:
        end = (int(self._clock.now()) // HOUR + 1) * HOUR
        query = Query(int(since), max(end, int(since) + HOUR), where=_filter(scope))
        rows = await self._store.sum(query, _MOST_CURRENCIES)
        return Cost(
            sum(row.sums.prompt + row.sums.completion for row in rows),
            sum(row.sums.cost for row in rows),
        )


@asynccontextmanager
async def open_metering(settings: Settings, state: State, clock: Clock) -> AsyncIterator[Metering]:
    """Metering at work; what is under way when the block ends is recorded as interrupted."""
    webhooks = _read_webhooks(settings)
    async with AsyncExitStack() as stack:
        records, read = await _open_ledger(settings, state, stack)
        budgets, notices = state.stores.budgets, SqlNotices(state.database)
        usage = SqlUsage(read)
        watch = BudgetWatch(budgets, notices, usage, clock)
        ledger = Ledger(records, state.home.journals, clock, on_durable=watch.add)
        await ledger.start()
        stack.push_async_callback(ledger.close)
        prices = Prices(SqlPrices(state.database), clock)
        await prices.refresh()
        await watch.refresh()  # or a budget that is spent would admit what comes first
        counters = await _open_counters(settings, clock, stack)
        limiter = Limiter(counters, clock, _choose_options(settings))
        limits = state.stores.limits
        metering = Metering(
            ledger=ledger,
            usage=Usage(usage, SqlIntervals(state.database), prices.book),
            prices=prices,
            budgets=Budgets(budgets, notices, usage, clock, watch.wake.set, webhooks),
            notices=notices,
            watch=watch,
            limits=limits,
            limiter=limiter,
            kept=KeptLimits(limits, limiter, LedgerSpent(usage, clock)),
        )
        sender = HttpSender(webhooks)
        for name, work in _list_loops(settings, state, metering, sender, clock):
            stack.push_async_callback(cancel, supervise(work, name=name))
        yield metering


async def _open_ledger(
    settings: Settings, state: State, stack: AsyncExitStack
) -> tuple[RecordStore, Database]:
    """What writes the ledger, and what reads it."""
    if settings.database_url:
        return PostgresqlRecords(settings.database_url), state.database
    file = state.home.ledger
    ensure_ledger(file)
    read = Database(file)
    stack.push_async_callback(read.close)
    return SqliteRecords(file), read


async def _open_counters(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Counters:
    if not settings.redis_url:
        return MemoryCounters(clock)
    try:
        from cupola.quotas.redis import Options as RedisOptions  # noqa: PLC0415  an extra
        from cupola.quotas.redis import RedisCounters  # noqa: PLC0415  as above
    except ImportError as error:
        raise CupolaError(
            "CUPOLA_REDIS_URL is set, but what speaks to Redis is not installed. Install it with: "
            "pip install 'cupola[redis]'.",
            private=str(error),
        ) from error
    options = RedisOptions(fail_open=settings.limits_without_redis == "open")
    return await stack.enter_async_context(RedisCounters(settings.redis_url, clock, options))


def _choose_options(settings: Settings) -> Options:
    return Options(
        shadow=settings.limits == "shadow",
        whole=settings.limits_reserve == "whole",
        queue_length=settings.limits_queue_length,
        queue_seconds=settings.limits_queue_seconds,
    )


def _read_webhooks(settings: Settings) -> WebhookRule:
    """Raises: Invalid."""
    try:
        return WebhookRule.read(settings.webhook_hosts)
    except ValueError as error:
        raise Invalid(f"{SETTING} cannot be used: {error}.") from error


def _list_loops(
    settings: Settings, state: State, metering: Metering, sender: Sender, clock: Clock
) -> Sequence[tuple[str, Coroutine[Any, Any, None]]]:
    def key_of(budget: str) -> bytes:
        return state.keys.derive_secret(f"budget {budget}")

    loops = [
        ("budgets", watch_budgets(metering.watch)),
        ("notices", deliver_notices(metering.notices, sender, clock, key_of)),
        ("limits", metering.kept.keep_seeded(settings.limits_reseed_seconds)),
    ]
    if settings.usage_days:
        expire = expire_records(metering.ledger.expire, clock, settings.usage_days)
        loops.append(("retention of usage", expire))
    return loops


def _filter(scope: Scope) -> Mapping[Dimension, frozenset[str]]:
    """Which records a scope's are."""
    if (own := find_own_key(scope)) is not None:
        endpoint, key = own
        return {Dimension.ENDPOINT: frozenset({endpoint}), Dimension.KEY: frozenset({key})}
    return {Dimension(scope.kind): frozenset({scope.id})}
