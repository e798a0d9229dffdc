"""One relay at work: an engine's events go in, what it says is done, and the account is kept."""

from collections.abc import AsyncGenerator

from cupola.gateway.delivery import Delivery
from cupola.gateway.exchange import Exchange
from cupola.gateway.journey import Journey
from cupola.gateway.meter import FAILED, GONE, Bill, Passage
from cupola.gateway.relay import ClientGone, Input, Refuse, Relay, Settle, State
from cupola.gateway.tally import Told
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError, EngineFailed
from cupola.kit.ready import take_or
from cupola.metering.model import INTERRUPTED, Ended
from cupola.wire.canonical import Event, Failed, Finish, Usage

_SENT = 200
_NOTHING = Settle(Usage(0, 0), counted=False)
_CUT = Failed(EngineFailed("The engine ended before its answer did."))


class Completion:
    """One relay at work, and the account that is kept of it."""

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
        self._status = 0
        """Of the reply, where it is not what was sent that tells; 0: nothing is known."""
        self._is_billed = False
        self._refused: CupolaError | None = None

    def begin(self, passage: Passage, arrived: float) -> None:
        """It was admitted, having come at `arrived`."""
        self._passage = passage
        self._began = arrived

    def note(self, finish: str, status: int) -> None:
        """What cut it off."""
        self._finish = self._finish or finish
        self._status = status

    async def bill(self, exchange: Exchange) -> Bill:
        """What it came to, on record before its last byte is sent."""
        assert self._passage is not None
        refused = self._refused
        status = _SENT if refused is None else exchange.find_status(refused)
        bill = await self._passage.settle(self._end(status))
        self._is_billed = True
        return bill

    async def release(self, exchange: Exchange) -> None:
        """It is over, however it ended: what is not on record yet is put there."""
        settled = self._settle()
        self._journey.usage, self._journey.counted = settled.usage, settled.counted
        if self._passage is not None:
            status = self._status or (_SENT if exchange.started else 0)
            await self._passage.release(None if self._is_billed else self._end(status))
        self._journey.wait(self._journey.queued + self._told.waited)

    def _end(self, status: int) -> Ended:
        """How it ended, for the record."""
        settled = self._settle()
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

    def _settle(self) -> Settle:
        """What was used. An answer that is not complete by now was cut, by whomever."""
        if self._relay.state is not State.DONE:
            self._step(ClientGone())
        return self._settled

    def _step(self, event: Input) -> None:
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
        self._step(first)
        while self._relay.state is not State.DONE:
            try:
                event = await take_or(anext(events), self._flush)
            except StopAsyncIteration:
                event = _CUT
            self._step(event)

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
