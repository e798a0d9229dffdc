"""A whole answer is the fold of its events."""

from cupola.ids import new_tool_call_id
from cupola.wire.canonical import Call, Delta, Event, Finish
from cupola.wire.completion import NamedCall, Reply


class Fold:
    """Gathers what an engine says until it has finished."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._calls: list[NamedCall] = []

    def add(self, event: Event) -> None:
        """One more piece."""
        if isinstance(event, Delta):
            self._texts.append(event.text)
        elif isinstance(event, Call):
            self._calls.append(name_call(event))

    def finish(self, end: Finish) -> Reply:
        """The whole."""
        return Reply("".join(self._texts), self._calls, end.reason, end.usage)


def name_call(call: Call) -> NamedCall:
    """`call`, with the id by which its result will refer to it."""
    return NamedCall(new_tool_call_id(), call)
