"""One request's way through the gateway: what is known of it at its end, for whoever observes.

The stages note here what they know as they go, which costs an assignment each; observers are told
once, when the reply has ended. There is no prompt in it, and nothing that a caller sent but the
headers, of which observers read those for tracing.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from cupola.gateway.address import Address
from cupola.gateway.directory import Served
from cupola.wire.canonical import Usage

CLIENT_GONE: Final = "client_gone"
"""The caller hung up."""
CANCELLED: Final = "cancelled"
"""The server stopped."""
_NONE: Final = Usage(0, 0)


class Journey:
    """Times are those of the clock's `monotonic`; 0.0: it did not come so far."""

    __slots__ = (
        "address", "answered", "asked", "began", "counted", "ended", "error", "first", "headers",
        "held", "id", "queued", "reasons", "served", "spans", "status", "stream", "usage",
    )  # fmt: skip

    def __init__(self, id: str, address: Address | None, headers: Mapping[bytes, bytes]) -> None:
        self.id = id
        self.address = address
        self.headers = headers
        self.began = 0.0
        self.asked = 0.0
        """A replica was asked for; how long that took is `queued`."""
        self.first = 0.0
        """The engine's first event."""
        self.answered = 0.0
        """Its last, or the failure in its place."""
        self.ended = 0.0
        """The reply's last byte was written, or whatever ended it."""
        self.queued = 0.0
        """Seconds after `asked` in which no replica was ready, or the one that had it was busy with
        others."""
        self.held = 0.0
        """Seconds before `asked` in a limit's line."""
        self.served: Served | None = None
        """Who was to answer; None: it was refused before that was settled."""
        self.stream = False
        self.status = 0
        """0: nothing was sent."""
        self.error = ""
        """A `kit.errors.Kind`, `CLIENT_GONE` or `CANCELLED`; empty: all went well."""
        self.spans: tuple[int, int] | None = None
        """Of the trace and of the engine's span, where an engine was told of them beforehand."""
        self.reasons: tuple[str, ...] = ()
        """Why each answer ended."""
        self.usage = _NONE
        self.counted = False
        """As `relay.Settle` has it."""

    def wait(self, seconds: float) -> None:
        """It waited before an engine could begin. Answers side by side wait at the same time."""
        self.queued = max(self.queued, seconds)

    def end(self, now: float) -> None:
        """That was all."""
        self.ended = now
        if not self.status and not self.error:
            self.error = CANCELLED

    @property
    def engine(self) -> float:
        """Seconds from when an engine could begin until its last event; a caller who reads slower
        than the engine writes makes them more."""
        if not self.asked:
            return 0.0
        return max(0.0, (self.answered or self.ended) - self.asked - self.queued)


class Observer(Protocol):
    """Told of each request once, at its end."""

    def observe(self, journey: Journey) -> None:
        """Must not wait for anything: the event loop is in it."""
        ...
