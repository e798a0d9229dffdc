"""The relay: what to do with each event of one completion.

Sans-I/O. `Relay.receive` takes what happened and says what to do; `gateway.chat` does it.

    state       Delta, Call        Finish             Failed        ClientGone
    WAITING     send; STREAMING    send; DONE         refuse; DONE  DONE     an error is a status
    HOLDING     hold               send; DONE         refuse; DONE  DONE     same: a whole reply
    STREAMING   send               send; DONE         send; DONE    DONE     an error is an event
    DONE        -                  -                  -             -        late events are dropped

A stream starts in WAITING, a whole reply, of which nothing is sent before its end, in HOLDING. The
first `Send` of a stream is preceded by `SendHead`: the 200 cannot be taken back. Whatever happens,
exactly one `Settle` leaves this machine, with the move to DONE; usage is recorded there and nowhere
else.
"""

from enum import Enum, auto
from typing import TypeAlias

from msgspec import Struct

from cupola.kit.errors import CupolaError
from cupola.wire.canonical import Delta, Event, Failed, Finish, Usage


class State(Enum):
    """Rows of the table."""

    WAITING = auto()
    HOLDING = auto()
    STREAMING = auto()
    DONE = auto()


class ClientGone(Struct, frozen=True):
    """The caller hung up."""


class SendHead(Struct, frozen=True):
    """Commit to a 200: from here on an error can only be an event."""


class Hold(Struct, frozen=True):
    """Keep an event for the whole reply."""

    event: Event


class Send(Struct, frozen=True):
    """Write an event to the caller."""

    event: Event


class Refuse(Struct, frozen=True):
    """Answer with an error status; nothing was sent yet."""

    error: CupolaError


class Settle(Struct, frozen=True):
    """Record what was used."""

    usage: Usage
    counted: bool
    """Whether the engine counted. If not, it never said how long the prompt is, and `completion`
    is what had arrived."""


Input: TypeAlias = Event | ClientGone
Output: TypeAlias = SendHead | Hold | Send | Refuse | Settle

_HEAD = SendHead()


class Relay:
    """One completion, from its first event to its settlement."""

    def __init__(self, *, stream: bool) -> None:
        self.state = State.WAITING if stream else State.HOLDING
        self._tokens = 0

    def receive(self, event: Input) -> tuple[Output, ...]:
        """What must be done about `event`, in order."""
        before = self.state
        if before is State.DONE:
            return ()
        if isinstance(event, Finish):
            self.state = State.DONE
            ending = (Send(event), Settle(event.usage, counted=True))
            return (_HEAD, *ending) if before is State.WAITING else ending
        if isinstance(event, Failed):
            self.state = State.DONE
            said = Send(event) if before is State.STREAMING else Refuse(event.error)
            return (said, self._settle())
        if isinstance(event, ClientGone):
            self.state = State.DONE
            return (self._settle(),)
        # A call's tokens are known only from the engine's own count at the end.
        self._tokens += event.tokens if isinstance(event, Delta) else 0
        if before is State.HOLDING:
            return (Hold(event),)
        self.state = State.STREAMING
        return (_HEAD, Send(event)) if before is State.WAITING else (Send(event),)

    def _settle(self) -> Settle:
        return Settle(Usage(0, self._tokens), counted=False)
