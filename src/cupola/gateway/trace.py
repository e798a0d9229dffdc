"""W3C trace context (https://www.w3.org/TR/trace-context/): which trace a request belongs to.

    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
                    trace                            span             flags

It is read strictly, since what is passed on leaves the house: whatever a caller sends beside the
form above is no trace, and is not told to anybody.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from cupola.engines.port import Trace

_FORM: Final = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_STATE: Final = re.compile(rb"[ -~]{1,512}")
_KNOWN_FLAGS: Final = 3
"""Sampled, and a random trace id; what other bits may mean, later versions say."""


class Parent(NamedTuple):
    """The caller's span."""

    trace: int
    span: int
    flags: int
    state: str


def read_parent(headers: Mapping[bytes, bytes]) -> Parent | None:
    """What the caller belongs to; None: nothing, or nothing that can be read."""
    found = _FORM.fullmatch(headers.get(b"traceparent", b""))
    if found is None or (found[1] == b"00" and found[5]):
        return None
    state = headers.get(b"tracestate", b"")
    return Parent(
        int(found[2], 16),
        int(found[3], 16),
        int(found[4], 16) & _KNOWN_FLAGS,
        state.decode() if _STATE.fullmatch(state) else "",
    )


def write_trace(trace: int, span: int, flags: int, state: str = "") -> Trace:
    """For an engine whose work is part of `span`."""
    return Trace(f"00-{trace:032x}-{span:016x}-{flags:02x}", state)


def pass_on(headers: Mapping[bytes, bytes]) -> Trace | None:
    """The caller's own trace, for where no spans are made here."""
    parent = read_parent(headers)
    return parent and write_trace(*parent)
