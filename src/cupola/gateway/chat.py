"""A completion, of chat or text, from the request's bytes to the last byte of its reply.

The stages in their order; each is a module of its own. Nothing here looks into a request.
"""

from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from cupola.engines.port import Trace
from cupola.gateway.address import Address
from cupola.gateway.authenticate import Authenticator, choose_served, find_served
from cupola.gateway.check import check, check_text
from cupola.gateway.completion import Completion
from cupola.gateway.delivery import Delivery, StreamDelivery, WholeDelivery
from cupola.gateway.dialects import Request
from cupola.gateway.directory import Caller, Directory, Served, ServedEndpoint
from cupola.gateway.exchange import Exchange
from cupola.gateway.journey import Journey
from cupola.gateway.limits import Limits
from cupola.gateway.meter import FAILED, GONE, Meter, Order
from cupola.gateway.plan import (
    Plan,
    estimate_prompt,
    most_tokens,
    plan_chat,
    plan_conversation,
    plan_text,
    with_trace,
)
from cupola.gateway.prepare import Layouts
from cupola.gateway.relay import Relay
from cupola.gateway.reply import Fold
from cupola.gateway.route import begin
from cupola.gateway.several import answer_several
from cupola.gateway.tally import Told
from cupola.http.asgi import ClientGone as Gone
from cupola.http.asgi import Hangup, read_body
from cupola.kit.clock import Clock
from cupola.wire.body import parse_object
from cupola.wire.canonical import ChatRequest, Event, TextRequest
from cupola.wire.completion import Head

Tracing: TypeAlias = Callable[[Journey], Trace | None]
"""What an engine is told of the trace that a request is part of."""
_REPORT = b"x-cupola-report"
"""The header by which a caller asks what the request came to."""


class Chat:
    """Answers requests for completions."""

    def __init__(
        self,
        directory: Directory,
        authenticator: Authenticator,
        clock: Clock,
        limits: Limits,
        meter: Meter,
        trace: Tracing,
    ) -> None:
        self._directory = directory
        self._authenticator = authenticator
        self._clock = clock
        self._limits = limits
        self._meter = meter
        self._trace = trace
        self._layouts = Layouts(clock)

    async def answer(self, exchange: Exchange, address: Address) -> None:
        """Reply to a request. Raises `CupolaError` if it cannot, before anything is sent."""
        request, served, endpoint, caller = await self._read(exchange, address)
        plan = self._plan(request, served, exchange.journey)
        prompt = estimate_prompt(plan, served)
        most = most_tokens(plan, served, prompt)
        dialect = exchange.dialect.name
        order = Order(exchange.id, dialect, caller, endpoint, served, prompt, most)
        delivery = self._deliver(exchange, request, served, plan)
        completion = self._open(exchange, request, served, plan, delivery)
        try:
            async with Hangup(exchange.connection):
                await self._generate(exchange, order, plan, completion)
            bill = await completion.bill(exchange)
            if _REPORT in exchange.headers:
                delivery.report(bill)
            await delivery.close()
        except Gone:
            completion.note(GONE, 0)
            raise
        except Exception as error:
            completion.note(FAILED, exchange.find_status(error))
            raise
        finally:
            await completion.release(exchange)

    def _open(
        self,
        exchange: Exchange,
        request: Request,
        served: Served,
        plan: Plan,
        delivery: Delivery,
    ) -> Completion:
        exchange.journey.stream = request.stream
        relay = Relay(stream=request.stream, answers=plan.answers, per_prompt=plan.per_prompt)
        told = Told(plan, served)
        return Completion(relay, delivery, self._clock, exchange.journey, told)

    async def _generate(
        self, exchange: Exchange, order: Order, plan: Plan, completion: Completion
    ) -> None:
        """From its admission to the engine's last event."""
        journey, now = exchange.journey, self._clock.monotonic
        arrived = now()
        passage = await self._meter.admit(order)
        exchange.carried = passage.headers
        completion.begin(passage, arrived)
        journey.asked = now()
        journey.held = journey.asked - arrived
        first, events = await self._begin(plan, order.served, journey)
        journey.first = now()
        try:
            await completion.follow(first, events)
        finally:
            journey.answered = now()
            await events.aclose()

    async def _read(
        self, exchange: Exchange, address: Address
    ) -> tuple[Request, Served, ServedEndpoint, Caller]:
        """The request, and who answers it. The key comes first: strangers send no body."""
        snapshot = self._directory.snapshot
        name = address.endpoint
        caller = await self._authenticator.authenticate(exchange.headers, snapshot, name)
        endpoint = name and find_served(snapshot, caller, name)
        body = await read_body(
            exchange.receive,
            exchange.headers.get(b"content-length", b""),
            limit=self._limits.body_bytes,
            seconds=self._limits.body_seconds,
        )
        request = exchange.dialect.read(parse_object(body), exchange.headers)
        endpoint = endpoint or choose_served(snapshot, caller, request.model)
        return request, exchange.choose(endpoint), endpoint, caller

    def _plan(self, request: Request, served: Served, journey: Journey) -> Plan:
        far = served.profile.takes_conversations
        if type(request) is ChatRequest:
            check(request, served)
            if not far:
                return plan_chat(request, served, self._layouts.of(served.profile))
            plan = plan_conversation(request, served)
        else:
            assert type(request) is TextRequest
            check_text(request, served)
            plan = plan_text(request, served)
        trace = self._trace(journey) if far else None
        return plan if trace is None else with_trace(plan, trace)

    def _deliver(
        self, exchange: Exchange, request: Request, served: Served, plan: Plan
    ) -> Delivery:
        head = Head(exchange.id, int(self._clock.now()), served.model)
        style = exchange.dialect.style(request)
        shape = exchange.dialect.shape
        if request.stream:
            return StreamDelivery(exchange, shape.stream(head, style))
        told = request.logprobs is not None
        fold = Fold(plan.per_prompt, plan.choices, tells_logprobs=told)
        return WholeDelivery(exchange, lambda reply: shape.whole(head, reply, style), fold)

    async def _begin(
        self, plan: Plan, served: Served, journey: Journey
    ) -> tuple[Event, AsyncGenerator[Event, None]]:
        """The first event, and the generator of the rest."""
        if len(plan.generations) == 1 and not plan.echoes[0]:
            return await begin(
                served.pool, plan.generations[0], self._clock, self._limits, journey.wait
            )
        events = answer_several(served.pool, plan, self._clock, self._limits, journey.wait)
        return await anext(events), events
