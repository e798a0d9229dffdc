"""Counters in Redis, for several gateways: every reservation and settlement is one atomic script.

Time is the server's, so the gateways' clocks need not agree. Keys share a hash tag, so that a
cluster keeps them in one place, where one script can reach them.

Redis is no ledger: what it forgets, `service.Limiter.reseed` learns again. If it is away, requests
pass uncounted or are refused, as a setting says; then it is left alone for a moment, so that not
every request waits for it in vain.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from cupola.ids import new_id
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, Unavailable
from cupola.kit.tasks import cancel, supervise
from cupola.quotas.model import (
    NO_STANDING,
    Allowance,
    Bound,
    Cost,
    Demand,
    LimitKind,
    Limits,
    RedisStatistics,
    Refused,
    Scope,
    Settled,
    Standing,
    Ticket,
    fit,
    least,
)

LEASE: Final = 60.0
"""Seconds after which the tickets of a gateway that died are no longer counted as running."""
_CONNECTIONS = 32
"""Redis runs one script after the other; more connections would only wait there instead of here."""
_PAUSE = 1.0
"""Seconds for which a Redis that failed is not asked."""
_CLOSED = "Limits cannot be checked at the moment. Try again soon."
_PREFIX = "{cupola}:limits"
_KINDS = tuple(LimitKind)
_FAILURES = (RedisError, OSError, TimeoutError)
_FOLDER = Path(__file__).parent
_log = logging.getLogger(__name__)


class BadRedisAddress(CupolaError):
    """The setting is no address of a Redis. Said to the person who runs Cupola."""


@dataclass(frozen=True, slots=True)
class Options:
    """How Redis is used."""

    fail_open: bool = True
    """While Redis is away requests pass uncounted, instead of being refused."""
    patience: float = 0.5
    """Seconds after which it counts as away."""
    lease: float = LEASE


@dataclass(slots=True)
class _Asked:
    """A reservation under way, which whoever asked for it may abandon."""

    outcome: Ticket | Refused | CupolaError | None = None
    abandoned: bool = False


class RedisCounters:
    """`Counters` that several gateways share. A context manager: within, tickets stay alive.

    Args:
        time: What to go by instead of the server's clock; for tests.
    """

    def __init__(
        self, url: str, clock: Clock, options: Options | None = None, *, time: Clock | None = None
    ) -> None:
        self._clock = clock
        self._time = time
        self._options = options or Options()
        self._client = _connect(url, self._options.patience)
        law = (_FOLDER / "law.lua").read_text()
        self._scripts: dict[str, AsyncScript] = {
            name: self._client.register_script(law + (_FOLDER / f"{name}.lua").read_text())
            for name in ("reserve", "settle", "renew", "correct")
        }
        self._open: dict[str, Ticket] = {}
        self._renewal: asyncio.Task[None] | None = None
        self._quiet_until = 0.0
        self._outages = self._failures = 0
        self._away = False

    async def __aenter__(self) -> Self:
        self._renewal = supervise(self._keep_renewing(), name="renewing tickets in Redis")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._renewal is not None:
            await cancel(self._renewal)
        await self._client.aclose()

    async def reserve(
        self, bounds: Sequence[Bound], demand: Demand, *, enforce: bool = True
    ) -> Ticket | Refused:
        asked = _Asked()
        work = supervise(self._ask(asked, bounds, fit(bounds, demand), enforce), name="reserve")
        try:
            # Shielded: a script that was sent runs, and only its answer says what to undo.
            await asyncio.shield(work)
        except asyncio.CancelledError:
            asked.abandoned = True
            if work.done():
                supervise(self._undo(asked), name="undoing a reservation")
            raise
        if isinstance(asked.outcome, CupolaError):
            raise asked.outcome
        assert asked.outcome is not None  # `_ask` ends with one
        return asked.outcome

    async def settle(self, ticket: Ticket, spent: Cost | None) -> None:
        if not ticket.is_open:
            return
        ticket.is_open = False
        self._open.pop(ticket.id, None)
        if ticket.counted and ticket.bounds:
            work = supervise(self._settle(ticket, spent), name="settle")
            await asyncio.shield(work)

    async def read(self, scope: Scope) -> Settled:
        return await self._correct(scope, [])

    async def correct(self, scope: Scope, before: Settled, known: Settled) -> None:
        await self._correct(scope, [number for one in (before, known) for number in _list(one)])

    def statistics(self) -> RedisStatistics:
        """How Redis has fared."""
        return RedisStatistics(self._outages, self._failures, self._away)

    async def renew(self) -> None:
        """Say of every open ticket that it is alive."""
        pairs = [
            (_keys(bound.scope)[2], ticket.id)
            for ticket in self._open.values()
            for bound in ticket.bounds
            if _lives(bound.limits)
        ]
        if pairs:
            keys, tickets = zip(*pairs, strict=True)
            await self._call("renew", keys, [str(self._options.lease), *tickets])

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._options.lease / 3)
            await self.renew()

    async def _ask(
        self, asked: _Asked, bounds: Sequence[Bound], amount: Cost, enforce: bool
    ) -> None:
        ticket = new_id("tkt")
        if not bounds:
            asked.outcome = Ticket(ticket, bounds, amount, 0, NO_STANDING)
            return
        values = [
            ticket,
            str(self._options.lease),
            str(amount.tokens),
            str(amount.money),
            "1" if enforce else "0",
        ]
        keys = [key for bound in bounds for key in _keys(bound.scope)]
        reply = await self._call("reserve", keys, [*values, *_write_limits(bounds)])
        if reply is None:
            asked.outcome = self._do_without(bounds, amount)
        else:
            asked.outcome = _read_outcome(reply, ticket, bounds, amount, enforce)
            if isinstance(asked.outcome, Ticket):
                self._open[ticket] = asked.outcome
        if asked.abandoned:
            await self._undo(asked)

    async def _undo(self, asked: _Asked) -> None:
        if isinstance(asked.outcome, Ticket):
            await self.settle(asked.outcome, None)

    async def _settle(self, ticket: Ticket, spent: Cost | None) -> None:
        true = spent or Cost()
        values = [
            ticket.id,
            str(ticket.slot),
            str(ticket.reserved.tokens),
            str(true.tokens),
            str(true.money),
            "1" if spent is None else "0",
        ]
        keys = [key for bound in ticket.bounds for key in _keys(bound.scope)]
        # Not tried again: it may have been done, and would then be charged twice. What is lost
        # here slides out of its minute, and the ledger puts day and month right.
        await self._call("settle", keys, [*values, *_write_limits(ticket.bounds)])

    async def _correct(self, scope: Scope, told: Sequence[str]) -> Settled:
        reply = await self._call("correct", _keys(scope)[2:], told)
        if reply is None:
            raise Unavailable(_CLOSED, private="Redis is away: what was spent is not known")
        return _read_settled(reply)

    async def _call(self, script: str, keys: Sequence[str], values: Sequence[str]) -> Any:
        """What the script returns; None if Redis is away."""
        now = self._clock.monotonic()
        if now < self._quiet_until:
            self._failures += 1
            return None
        if self._away:  # one tries whether it is back; the others do not wait for that
            self._quiet_until = now + self._options.patience
        try:
            reply = await self._scripts[script](keys, [self._now(), *values])
        except _FAILURES as error:
            self._note_failure(error)
            return None
        if self._away:
            self._away, self._quiet_until = False, 0.0
            _log.warning("Redis answers again; limits are kept.")
        return reply

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        self._quiet_until = self._clock.monotonic() + _PAUSE
        if not self._away:
            self._away = True
            self._outages += 1
            effect = "pass without limits" if self._options.fail_open else "are refused"
            _log.error("Redis does not answer (%s); until it does, requests %s.", error, effect)

    def _do_without(self, bounds: Sequence[Bound], amount: Cost) -> Ticket | CupolaError:
        if self._options.fail_open:
            return Ticket(new_id("tkt"), bounds, amount, 0, NO_STANDING, counted=False)
        return Unavailable(
            _CLOSED,
            private="Redis is away, and limits fail closed",
            retry_after=_PAUSE,
        )

    def _now(self) -> str:
        return "" if self._time is None else repr(self._time.now())


def _connect(url: str, patience: float) -> Redis:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=patience,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            # The client's own would run a script twice if only the answer was lost.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise BadRedisAddress(
            "The address of Redis must be redis://HOST:PORT/NUMBER, rediss:// for TLS, or "
            f"unix://PATH: {error}"
        ) from error
    return Redis.from_pool(pool)


def _keys(scope: Scope) -> tuple[str, str, str, str]:
    name = f"{scope.kind}:{scope.id}"
    return (
        f"{_PREFIX}:requests:{name}",
        f"{_PREFIX}:tokens:{name}",
        f"{_PREFIX}:live:{name}",
        f"{_PREFIX}:sums:{name}",
    )


def _lives(limits: Limits) -> bool:
    return limits.concurrent_requests is not None or limits.by_calendar


def _write_limits(bounds: Sequence[Bound]) -> list[str]:
    values = (getattr(bound.limits, kind) for bound in bounds for kind in _KINDS)
    return ["-1" if value is None else str(value) for value in values]


def _read_outcome(
    reply: Sequence[int], ticket: str, bounds: Sequence[Bound], amount: Cost, enforce: bool
) -> Ticket | Refused:
    slot, scope, limit, wait = reply[:4]
    standing = _read_standing(reply[4:], bounds)
    refused: Refused | None = None
    if scope:
        bound, kind = bounds[scope - 1], _KINDS[limit - 1]
        seconds = None if wait == -1 else wait / 1000
        value = getattr(bound.limits, kind)
        refused = Refused(kind, bound.scope, value, seconds, standing)
        if enforce:
            return refused
    return Ticket(ticket, bounds, amount, slot, standing, refused)


def _read_standing(reply: Sequence[int], bounds: Sequence[Bound]) -> Standing:
    requests: Allowance | None = None
    tokens: Allowance | None = None
    for index, bound in enumerate(bounds):
        used, reset, tokens_used, tokens_reset = reply[index * 4 : index * 4 + 4]
        if (most := bound.limits.requests_per_minute) is not None:
            allowance = Allowance(most, max(0, most - used), reset / 1000)
            requests = least(requests, allowance)
        if (most := bound.limits.tokens_per_minute) is not None:
            allowance = Allowance(most, max(0, most - tokens_used), tokens_reset / 1000)
            tokens = least(tokens, allowance)
    return Standing(requests, tokens)


def _list(settled: Settled) -> tuple[str, ...]:
    numbers = (
        settled.day,
        settled.month,
        settled.day_tokens,
        settled.month_tokens,
        settled.month_money,
    )
    return tuple(str(number) for number in numbers)


def _read_settled(reply: Sequence[bytes]) -> Settled:
    return Settled(*(int(number) for number in reply))
