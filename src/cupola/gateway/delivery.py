"""What the relay decides, done: a whole reply, or a stream of chunks."""

from collections.abc import Callable
from typing import Protocol, assert_never

from cupola.gateway.exchange import Exchange
from cupola.gateway.meter import Bill
from cupola.gateway.relay import End, Hold, Refuse, Send, SendHead
from cupola.gateway.reply import Fold, name_call
from cupola.http.asgi import Header, end_stream, send_piece
from cupola.kit.errors import CupolaError
from cupola.kit.money import format_amount
from cupola.wire.canonical import Call, Delta, Event, Failed, Finish
from cupola.wire.completion import Reply, StreamEncoder


class Delivery(Protocol):
    """Where the relay's outputs go."""

    def take(self, output: SendHead | Hold | Send | End | Refuse) -> None:
        """Note what must be sent."""
        ...

    async def flush(self) -> None:
        """Send what may be sent by now."""
        ...

    def report(self, bill: Bill) -> None:
        """Tell the caller, who asked for it, what this came to."""
        ...

    async def close(self) -> None:
        """Send the rest. Raises the error that the relay refused with."""
        ...


def write_bill(bill: Bill) -> tuple[Header, ...]:
    """What a request came to, as headers."""
    counts = (
        (b"x-cupola-prompt-tokens", b"%d" % bill.prompt),
        (b"x-cupola-completion-tokens", b"%d" % bill.completion),
    )
    if not bill.currency:
        return counts
    cost = f"{format_amount(bill.cost)} {bill.currency}"
    return ((b"x-cupola-cost", cost.encode()), *counts)


class WholeDelivery:
    """Holds everything back until the answer is complete."""

    def __init__(self, exchange: Exchange, encode: Callable[[Reply], bytes], fold: Fold) -> None:
        self._exchange, self._encode, self._fold = exchange, encode, fold
        self._end: End | None = None
        self._error: CupolaError | None = None

    def take(self, output: SendHead | Hold | Send | End | Refuse) -> None:
        if isinstance(output, Hold):
            self._fold.add(output.event)
        elif isinstance(output, End):
            self._end = output
        elif isinstance(output, Refuse):
            self._error = output.error

    async def flush(self) -> None:
        pass

    def report(self, bill: Bill) -> None:
        self._exchange.carried += write_bill(bill)

    async def close(self) -> None:
        if self._error is not None:
            raise self._error
        if self._end is not None:
            reply = self._fold.finish(self._end.event, self._end.usage)
            await self._exchange.reply(self._encode(reply))


class StreamDelivery:
    """Sends chunks as they come, those that are ready together in one write."""

    def __init__(self, exchange: Exchange, chunks: StreamEncoder) -> None:
        self._exchange = exchange
        self._chunks = chunks
        self._buffer: list[bytes] = []
        self._error: CupolaError | None = None

    def take(self, output: SendHead | Hold | Send | End | Refuse) -> None:
        if isinstance(output, Send):
            self._buffer.append(self._chunk(output.event))
        elif isinstance(output, End):
            end = output.event
            self._buffer.append(self._chunks.last(end.reason, output.usage, end.index))
        elif isinstance(output, Refuse):
            self._error = output.error

    async def flush(self) -> None:
        if self._buffer:
            await self._start()
            await send_piece(self._exchange.send, self._drain())

    def report(self, bill: Bill) -> None:
        """As comments before the last chunk: the head has gone, and a field that nobody knows
        would break strict clients."""
        said = b"".join([b": %s: %s\n" % header for header in write_bill(bill)])
        self._buffer.insert(max(0, len(self._buffer) - 1), said)

    async def close(self) -> None:
        if self._error is not None:
            raise self._error
        await self._start()
        await end_stream(self._exchange.send, self._drain())

    async def _start(self) -> None:
        if not self._exchange.started:
            await self._exchange.start_stream()

    def _drain(self) -> bytes:
        gathered, self._buffer = self._buffer, []
        return gathered[0] if len(gathered) == 1 else b"".join(gathered)

    def _chunk(self, event: Event) -> bytes:
        match event:
            case Delta():
                return self._chunks.text(event.text, event.index, event.logprobs)
            case Call():
                return self._chunks.call(name_call(event))
            case Finish():
                return self._chunks.finish(event.reason, event.index)
            case Failed():
                return self._chunks.failed(event.error)
            case _:
                assert_never(event)
