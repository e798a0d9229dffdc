import pytest

from cupola.engines.port import Trace
from cupola.gateway.trace import pass_on

_TRACE, _SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_PARENT = f"00-{_TRACE}-{_SPAN}-01"


def _pass_on(parent: str, state: str = "") -> Trace | None:
    headers = {b"traceparent": parent.encode(), b"tracestate": state.encode()}
    return pass_on({name: value for name, value in headers.items() if value})


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (_PARENT, _PARENT),
        (_PARENT[:-2] + "ff", _PARENT[:-2] + "03"),
        (f"cc-{_TRACE}-{_SPAN}-00-what-later-versions-say", f"00-{_TRACE}-{_SPAN}-00"),
    ],
    ids=["as it is", "unknown flags", "a later version"],
)
def test_a_callers_trace_is_passed_on(sent: str, passed: str):
    """In the form of the version that we know."""
    assert Trace(passed, "a=b") == _pass_on(sent, "a=b")


@pytest.mark.parametrize(
    "sent",
    [
        "", "nonsense", _PARENT + "-more", _PARENT.upper(), "ff" + _PARENT[2:], f" {_PARENT}",
        _PARENT.replace(_TRACE, "0" * 32), _PARENT.replace(_SPAN, "0" * 16), _PARENT + "\n",
    ],
)  # fmt: skip
def test_nonsense_is_told_to_nobody(sent: str):
    """Nothing that a caller writes leaves the house but what is a trace."""
    assert _pass_on(sent, "a=b") is None


def test_a_state_that_cannot_be_sent_is_left_out():
    """The trace itself goes on."""
    assert Trace(_PARENT) == _pass_on(_PARENT, "a=\u00e9")
    assert Trace(_PARENT) == _pass_on(_PARENT, "a" * 513)
