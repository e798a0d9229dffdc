"""The relay's table, row by row, and its one promise: exactly one settlement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.gateway.relay import (
    ClientGone,
    End,
    Hold,
    Input,
    Refuse,
    Relay,
    Send,
    SendHead,
    Settle,
    State,
)
from cupola.kit.errors import EngineFailed
from cupola.wire.canonical import Call, Delta, Failed, Finish, Usage
from tests.gateway.playbook import Playbook

HELLO = Delta("Hello", tokens=2)
CALL = Call("f", "{}")
END = Finish("stop", Usage(prompt=4, completion=2))
DIED = Failed(EngineFailed("The model is restarting."))
GONE = ClientGone()


def uncounted(completion: int) -> Settle:
    return Settle(Usage(0, completion), counted=False)


def test_a_stream():
    """A head, its pieces as they come, its end, and one settlement by the engine's count."""
    assert (
        Playbook(Relay(stream=True))
        >> HELLO
        << SendHead()
        << Send(HELLO)
        >> CALL
        << Send(CALL)
        >> END
        << End(END, END.usage)
        << Settle(END.usage, counted=True)
    )


def test_a_whole_reply():
    """Nothing is sent before the end."""
    assert (
        Playbook(Relay(stream=False))
        >> HELLO
        << Hold(HELLO)
        >> CALL
        << Hold(CALL)
        >> END
        << End(END, END.usage)
        << Settle(END.usage, counted=True)
    )


def test_an_answer_of_nothing():
    """A stream without a piece still has a head."""
    assert (
        Playbook(Relay(stream=True))
        >> END
        << SendHead()
        << End(END, END.usage)
        << Settle(END.usage, counted=True)
    )


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_the_engine_dies_before_anything_was_sent(stream: bool):
    """Then a failure is still an HTTP status."""
    assert Playbook(Relay(stream=stream)) >> DIED << Refuse(DIED.error) << uncounted(0)


def test_the_engine_dies_in_the_middle_of_a_whole_reply():
    """Half an answer is not sent as a whole one."""
    assert (
        Playbook(Relay(stream=False))
        >> HELLO
        << Hold(HELLO)
        >> DIED
        << Refuse(DIED.error)
        << uncounted(2)
    )


def test_the_engine_dies_in_the_middle_of_a_stream():
    """Once something was sent, a failure is the stream's last event."""
    assert (
        Playbook(Relay(stream=True))
        >> HELLO
        << SendHead()
        << Send(HELLO)
        >> DIED
        << Send(DIED)
        << uncounted(2)
        >> END
    )


def test_several_answers():
    """The prompt counts once, and as cached only what none of them had to read; the others' ends
    are events like any, the last one's ends it all."""
    first = Finish("length", Usage(prompt=4, completion=5, cached=3), index=1)
    total = Usage(prompt=4, completion=7)
    assert (
        Playbook(Relay(stream=True, answers=2, per_prompt=2))
        >> first
        << SendHead()
        << Send(first)
        >> HELLO
        << Send(HELLO)
        >> END
        << End(END, total)
        << Settle(total, counted=True)
    )


def test_the_caller_hangs_up():
    """Nothing more is sent; what had been generated is settled."""
    assert (
        Playbook(Relay(stream=True))
        >> HELLO
        << SendHead()
        << Send(HELLO)
        >> GONE
        << uncounted(2)
        >> HELLO
        >> END
    )


@given(st.booleans(), st.lists(st.sampled_from([HELLO, CALL, END, DIED, GONE])))
def test_one_settlement(stream: bool, events: list[Input]):
    """Whatever happens, in whatever order, what was used is recorded once."""
    relay = Relay(stream=stream)
    outputs = [out for event in [*events, GONE] for out in relay.receive(event)]

    assert 1 == sum(isinstance(out, Settle) for out in outputs)
    assert relay.state is State.DONE


@given(st.booleans(), st.lists(st.sampled_from([HELLO, CALL, END, DIED, GONE])))
def test_a_status_or_a_stream(stream: bool, events: list[Input]):
    """After a head, never a refusal; before it, nothing of a stream."""
    relay = Relay(stream=stream)
    kinds = [type(out) for event in events for out in relay.receive(event)]

    assert not (SendHead in kinds and Refuse in kinds)
    if stream and Send in kinds:
        assert kinds.index(SendHead) < kinds.index(Send)
