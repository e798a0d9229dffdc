"""A completion, of chat or text, from the request's bytes to the last byte of its reply.

The stages in their order; each is a module of its own. Nothing here looks into a request.
"""

from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from cupola.engines.port import Trace
from cupola.gateway.address import Address
from cupola.gateway.authenticate import Authenticator, choose_served, find_served
from cupola.gateway.check import check, check_text
from cupola.gateway.delivery import Delivery, StreamDelivery, WholeDelivery
from cupola.gateway.dialects import Request
from cupola.gateway.directory import Caller, Directory, Served, ServedEndpoint
from cupola.gateway.exchange import Exchange
from cupola.gateway.journey import Journey
from cupola.gateway.limits import Limits
from cupola.gateway.meter import FAILED, GONE, Meter, Order, Passage
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
from cupola.gateway.relay import ClientGone, Input, Refuse, Relay, Settle, State
from cupola.gateway.reply import Fold
from cupola.gateway.route import begin
from cupola.gateway.several import answer_several
from cupola.gateway.tally import Told
from cupola.gateway.usage import UsageCount
from cupola.http.asgi import ClientGone as Gone
from cupola.http.asgi import Hangup, read_body
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, EngineFailed
from cupola.kit.ready import take_or
from cupola.metering.model import INTERRUPTED, Ended
from cupola.wire.body import parse_object
from cupola.wire.canonical import ChatRequest, Event, Failed, Finish, TextRequest, Usage
from cupola.wire.completion import Head

Tracing: TypeAlias = Callable[[Journey], Trace | None]
"""What an engine is told of the trace that a request is part of."""
_REPORT = b"x-cupola-report"
"""The header by which a caller asks what the request came to."""
_SENT = 200
_NOTHING = Settle(Usage(0, 0), counted=False)
_CUT = Failed(EngineFailed("The engine ended before its answer did."))


class Chat:
    """Answers requests for completions."""

    def __init__(
        self,
        directory: Directory,
        authenticator: Authenticator,
        clock: Clock,
        limits: Limits,
        usage: UsageCount,
        meter: Meter,
        trace: Tracing,
    ) -> None:
        self._directory = directory
        self._authenticator = authenticator
        self._clock = clock
        self._limits = limits
        self._usage = usage
        self._meter = meter
        self._trace = trace
        self._layouts = Layouts(clock)

    async def answer(self, exchange: Exchange, address: Address) -> None:
        """Reply to a request. Raises `CupolaError` if it cannot, before anything is sent."""
        request, served, endpoint, caller = await self._read(exchange, address)
        plan = self._plan(request, served)
        if served.profile.takes_conversations and (trace := self._trace(exchange.journey)):
            plan = with_trace(plan, trace)
        prompt = estimate_prompt(plan, served)
        order = Order(
            exchange.id,
            exchange.dialect.name,
            caller,
            endpoint,
            served,
            prompt,
            most_tokens(plan, served, prompt),
        )
        relay = Relay(stream=request.stream, answers=plan.answers, per_prompt=plan.per_prompt)
        delivery = self._deliver(exchange, request, served, plan)
        journey = exchange.journey
        journey.stream = request.stream
        completion = _Completion(relay, delivery, self._clock, journey, Told(plan, served))
        passage: Passage | None = None
        billed = False
        try:
            async with Hangup(exchange.connection):
                arrived = self._clock.monotonic()
                passage = await self._meter.admit(order)
                exchange.carried = passage.headers
                completion.begin(passage, arrived)
                journey.asked = self._clock.monotonic()
                journey.held = journey.asked - arrived
                first, events = await self._begin(plan, served, journey)
                journey.first = self._clock.monotonic()
                try:
                    await completion.follow(first, events)
                finally:
                    journey.answered = self._clock.monotonic()
                    await events.aclose()
            bill = await passage.settle(completion.end(completion.find_status(exchange)))
            billed = True
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
            settled = completion.settle()
            journey.usage, journey.counted = settled.usage, settled.counted
            self._usage.record(settled, served, exchange.id)
            if passage is not None:
                status = completion.status or (200 if exchange.started else 0)
                await passage.release(None if billed else completion.end(status))
            journey.wait(journey.queued + completion.waited)

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

    def _plan(self, request: Request, served: Served) -> Plan:
        if type(request) is ChatRequest:
            check(request, served)
            if served.profile.takes_conversations:
                return plan_conversation(request, served)
            return plan_chat(request, served, self._layouts.of(served.profile))
        assert type(request) is TextRequest
        check_text(request, served)
        return plan_text(request, served)

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


class _Completion:
    """One relay at work."""

    def __init__(
        self, relay: Relay, delivery: Delivery, clock: Clock, journey: Journey, told: Told
    ) -> None:
        self._relay = relay
        self._told = told
        self._delivery = delivery
        self._clock = clock
        self._journey = journey
        self._settled = _NOTHING
        self._passage: Passage | None = None
        self._began = 0.0
        self._first: float | None = None
        self._finish = ""
        self.status = 0
        """Of the reply, where it is not what was sent that tells; 0: nothing is known."""
        self._refused: CupolaError | None = None

    def begin(self, passage: Passage, arrived: float) -> None:
        """It was admitted, having come at `arrived`."""
        self._passage = passage
        self._began = arrived

    def note(self, finish: str, status: int) -> None:
        """What cut it off."""
        self._finish = self._finish or finish
        self.status = status

    def find_status(self, exchange: Exchange) -> int:
        """Of the reply that is about to be sent."""
        return 200 if self._refused is None else exchange.find_status(self._refused)

    def end(self, status: int) -> Ended:
        """How it ended, for the record."""
        settled = self.settle()
        finish = self._finish or INTERRUPTED
        usage = settled.usage
        if not settled.counted and finish != GONE and status != _SENT:
            usage = _NOTHING.usage  # it was we who failed, before anything had reached the caller
        return Ended(
            usage.prompt,
            usage.completion,
            finish,
            status,
            cached=usage.cached,
            counted=settled.counted,
            queue=self._find_queue(settled),
            first_token=self._first,
            total=self._clock.monotonic() - self._began,
            replica=self._told.replica,
        )

    def _find_queue(self, settled: Settle) -> float | None:
        """Seconds in a limit's line, without a ready replica, and in the engine's own line."""
        if not settled.counted and not self._told.was_taken:
            return None
        return self._journey.held + self._journey.queued + self._told.waited

    @property
    def waited(self) -> float:
        """Seconds in the engine's own line."""
        return self._told.waited

    def settle(self) -> Settle:
        """What was used. An answer that is not complete by now was cut, by whomever."""
        if self._relay.state is not State.DONE:
            self.step(ClientGone())
        return self._settled

    def step(self, event: Input) -> None:
        """Do what the relay says about `event`."""
        if type(event) is Finish:
            self._journey.reasons += (event.reason,)
        elif type(event) is Failed:
            self._journey.error = event.error.kind.value
        for output in self._relay.receive(event):
            if isinstance(output, Settle):
                self._settled = output if output.counted else self._recount(output)
                self._finish = self._finish or _find_finish(event)
                continue
            if type(output) is Refuse:
                self._refused = output.error
            self._delivery.take(output)

    def _recount(self, settle: Settle) -> Settle:
        """With what engines told of an answer that was cut."""
        told = self._told.count()
        completion = max(told.completion, settle.usage.completion)
        return Settle(Usage(told.prompt, completion, told.cached), counted=False)

    async def follow(self, first: Event, events: AsyncGenerator[Event, None]) -> None:
        """Take an engine's events until the answer is complete."""
        self._first = self._clock.monotonic() - self._began
        self.step(first)
        while self._relay.state is not State.DONE:
            try:
                event = await take_or(anext(events), self._flush)
            except StopAsyncIteration:
                event = _CUT
            self.step(event)

    async def _flush(self) -> None:
        """Nothing more is there yet: time to note what was, then to send it.

        Of a whole reply nothing is sent, and so nothing billed should the server be killed.
        """
        if self._passage is not None and self._journey.stream:
            told = self._told.count()
            self._passage.progress(told.prompt, max(told.completion, self._relay.tokens))
        await self._delivery.flush()


def _find_finish(event: Input) -> str:
    if isinstance(event, Finish):
        return event.reason
    return FAILED if isinstance(event, Failed) else ""
