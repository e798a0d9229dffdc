"""A chat completion, from the request's bytes to the last byte of its reply.

The stages in their order; each is a module of its own. Nothing here looks into a request.
"""

from collections.abc import AsyncGenerator

from cupola.gateway.address import Address
from cupola.gateway.authenticate import Digest, authenticate, choose_served, find_served
from cupola.gateway.check import check
from cupola.gateway.delivery import Delivery, StreamDelivery, WholeDelivery
from cupola.gateway.directory import Directory, Served
from cupola.gateway.exchange import Exchange
from cupola.gateway.limits import Limits
from cupola.gateway.prepare import Layouts, prepare
from cupola.gateway.relay import ClientGone, Input, Relay, Settle, State
from cupola.gateway.route import begin
from cupola.gateway.usage import UsageCount
from cupola.http.asgi import Hangup, read_body
from cupola.kit.clock import Clock
from cupola.kit.errors import EngineFailed
from cupola.kit.ready import take_or
from cupola.wire.body import parse_object
from cupola.wire.canonical import ChatRequest, Event, Failed, Usage
from cupola.wire.completion import Head

_NOTHING = Settle(Usage(0, 0), counted=False)
_CUT = Failed(EngineFailed("The engine ended before its answer did."))


class Chat:
    """Answers chat requests."""

    def __init__(
        self, directory: Directory, digest: Digest, clock: Clock, limits: Limits, usage: UsageCount
    ) -> None:
        self._directory = directory
        self._digest = digest
        self._clock = clock
        self._limits = limits
        self._usage = usage
        self._layouts = Layouts(clock)

    async def answer(self, exchange: Exchange, address: Address) -> None:
        """Reply to a chat request. Raises `CupolaError` if it cannot, before anything is sent."""
        request, served = await self._read(exchange, address)
        check(request, served)
        generation = prepare(request, served, self._layouts.of(served.profile))
        head = Head(exchange.id, int(self._clock.now()), served.model)
        style = exchange.dialect.style(request)
        deliver = StreamDelivery if request.stream else WholeDelivery
        delivery: Delivery = deliver(exchange, head, style)
        completion = _Completion(Relay(stream=request.stream), delivery)
        try:
            async with Hangup(exchange.connection):
                first, events = await begin(served.pool, generation, self._clock, self._limits)
                try:
                    await completion.follow(first, events)
                finally:
                    await events.aclose()
            await delivery.close()
        finally:
            self._usage.record(completion.settle(), served, exchange.id)

    async def _read(self, exchange: Exchange, address: Address) -> tuple[ChatRequest, Served]:
        """The request, and the endpoint it is for. The key comes first: strangers send no body."""
        snapshot = self._directory.snapshot
        allowed = authenticate(exchange.headers, snapshot, self._digest)
        served = address.endpoint and find_served(snapshot, allowed, address.endpoint)
        body = await read_body(
            exchange.receive,
            exchange.headers.get(b"content-length", b""),
            limit=self._limits.body_bytes,
            seconds=self._limits.body_seconds,
        )
        request = exchange.dialect.read(parse_object(body), exchange.headers)
        served = served or choose_served(snapshot, allowed, request.model)
        exchange.choose(served)
        return request, served


class _Completion:
    """One relay at work."""

    def __init__(self, relay: Relay, delivery: Delivery) -> None:
        self._relay = relay
        self._delivery = delivery
        self._settled = _NOTHING

    def settle(self) -> Settle:
        """What was used. An answer that is not complete by now was cut, by whomever."""
        self.step(ClientGone())
        return self._settled

    def step(self, event: Input) -> None:
        """Do what the relay says about `event`."""
        for output in self._relay.receive(event):
            if isinstance(output, Settle):
                self._settled = output
            else:
                self._delivery.take(output)

    async def follow(self, first: Event, events: AsyncGenerator[Event, None]) -> None:
        """Take an engine's events until the answer is complete."""
        self.step(first)
        while self._relay.state is not State.DONE:
            try:
                event = await take_or(anext(events), self._delivery.flush)
            except StopAsyncIteration:
                event = _CUT
            self.step(event)
