"""The relay: what to do with each event of one completion.

Sans-I/O. `Relay.receive` takes what happened and says what to do; `gateway.chat` does it.

    state       Delta, Call        last Finish        Failed        ClientGone
    WAITING     send; STREAMING    end; DONE          refuse; DONE  DONE     an error is a status
    HOLDING     hold               end; DONE          refuse; DONE  DONE     same: a whole reply
    STREAMING   send               end; DONE          send; DONE    DONE     an error is an event
    DONE        -                  -                  -             -        late events are dropped

A stream starts in WAITING, a whole reply, of which nothing is sent before its end, in HOLDING. The
first `Send` of a stream is preceded by `SendHead`: the 200 cannot be taken back. A completion of
several answers ends with the last one's `Finish`; the others' are treated as a `Delta`. Whatever
happens, exactly one `Settle` leaves this machine, with the move to DONE; usage is recorded there
and nowhere else.
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


class End(Struct, frozen=True):
    """Write the last answer's end, and what the completion used."""

    event: Finish
    usage: Usage


class Refuse(Struct, frozen=True):
    """Answer with an error status; nothing was sent yet."""

    error: CupolaError


class Settle(Struct, frozen=True):
    """Record what was used."""

    usage: Usage
    counted: bool
    """Whether the engine counted to the end. If not, `completion` is what had arrived here, and of
    the prompt nothing is known: `gateway.tally` knows more."""


Input: TypeAlias = Event | ClientGone
Output: TypeAlias = SendHead | Hold | Send | End | Refuse | Settle

_HEAD = SendHead()


class Relay:
    """One completion, from its first event to its settlement.

    Args:
        answers: How many of them will finish.
        per_prompt: How many of these, by their numbers, share a prompt.
    """

    def __init__(self, *, stream: bool, answers: int = 1, per_prompt: int = 1) -> None:
        self.state = State.WAITING if stream else State.HOLDING
        self._unfinished = answers
        self._per_prompt = per_prompt
        self._tokens = 0
        self._prompts: dict[int, tuple[int, int]] = {}
        """Tokens of each, and how many of them had been read before."""
        self._completion = 0

    @property
    def tokens(self) -> int:
        """Of the texts that came so far."""
        return self._tokens

    def receive(self, event: Input) -> tuple[Output, ...]:
        """What must be done about `event`, in order."""
        before = self.state
        if before is State.DONE:
            return ()
        if isinstance(event, Finish):
            self._count(event)
            if self._unfinished == 0:
                self.state = State.DONE
                usage = self._sum()
                ending = (End(event, usage), Settle(usage, counted=True))
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

    def _count(self, end: Finish) -> None:
        """One answer more. A prompt is billed once, however many answers it has."""
        self._unfinished -= 1
        self._completion += end.usage.completion
        number, usage = end.index // self._per_prompt, end.usage
        # Whichever of its answers came first, the others found it read.
        _, cached = self._prompts.get(number, (0, usage.cached))
        self._prompts[number] = (usage.prompt, min(cached, usage.cached))

    def _sum(self) -> Usage:
        prompts = self._prompts.values()
        return Usage(
            sum([prompt for prompt, _ in prompts]),
            self._completion,
            sum([cached for _, cached in prompts]),
        )

    def _settle(self) -> Settle:
        return Settle(Usage(0, self._tokens), counted=False)
