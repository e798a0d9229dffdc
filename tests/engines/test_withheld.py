"""Tokens that llama.cpp does not tell of: found only without doubt, and told of only when true."""

import json
import re
from typing import Any

import pytest

from cupola.engines.llamacpp.step import Stepper
from cupola.engines.llamacpp.vocabulary import Vocabulary
from cupola.engines.llamacpp.withheld import Divider, Gap, Recovery
from cupola.wire.canonical import Candidate, Delta, Finish, TokenLogprob, Usage

TOKENS = (b"<s>", b"a", b"b", b"ab", b"\xe3", b"\x81", b"\x82", b"\xe3\x81", b"", b" ")
CONTROL, A, LEAD, MIDDLE, TAIL, BOTH = 0, 1, 4, 5, 6, 7
VOCABULARY = Vocabulary(
    bos=None,
    banned=(CONTROL,),
    control_texts=("<s>",),
    tool_calls_token=None,
    python=None,
    tokens=TOKENS,
    special=frozenset([CONTROL]),
    ends=frozenset(),
    end=b"",
    longest_token=3,
    leading_space=True,
    adds_space=False,
    spaced=re.compile("(?!)"),
    spaced_inside=re.compile("(?!)"),
)


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (b"\xe3\x81", 2, (LEAD, MIDDLE)),
        (b"\xe3\x81", 1, (BOTH,)),
        (b"ab\xe3", 2, (3, LEAD)),
        (b"\xe3\x81", 3, None),  # too many
        (b"\xe3\xff", 2, None),  # no token says it
        (b"abab", 3, None),  # a b ab, or ab a b
        (b"<s>", 1, None),  # a control token says nothing
        ("\ufffd".encode(), 3, None),  # bytes that were no character, whatever they were
        (b"", 1, None),
        (b"a" * 99, 99, None),
    ],
)
def test_dividing(text: bytes, count: int, expected: tuple[int, ...] | None) -> None:
    """One way, or none."""
    assert expected == Divider(VOCABULARY).divide(text, count)


class Engine:
    """Tells, after each prompt, how likely each token is."""

    def __init__(self, told: dict[tuple[int, ...], dict[int, float]]) -> None:
        self._told = told

    async def ask(self, body: bytes) -> bytes:
        asked: dict[str, Any] = json.loads(body)
        told = self._told[tuple(asked["prompt"])]
        ranked = sorted(told.items(), key=lambda one: -one[1])[: asked["n_probs"]]
        places = [{"id": token, "logprob": logprob} for token, logprob in ranked]
        drawn = {"id": 0, "logprob": 0.0, "top_logprobs": places}
        return json.dumps({"completion_probabilities": [drawn]}).encode()


def recover(*, likely: float, opens: bool = False) -> Recovery:
    """Of a reply that says `あ` in three tokens, of which the last was told as `likely`."""
    engine = Engine(
        {
            (9, 9): {LEAD: -1.0, 9: -2.0},
            (9, 9, LEAD): {A: -0.5, MIDDLE: -3.0},
            (9, 9, LEAD, MIDDLE): {TAIL: likely},
        }
    )
    said = [LEAD, MIDDLE, TAIL]
    stepper = Stepper(VOCABULARY, engine.ask)
    return Recovery([9, 9], said, VOCABULARY, stepper, alternatives=2, opens=opens)


WHOLE = "あ".encode()
GAP = Gap(Candidate(WHOLE, -0.25), (), 0, (LEAD, MIDDLE, TAIL))


async def test_every_token_is_told_of() -> None:
    """With its rivals, and in order."""
    event = await recover(likely=-0.25).complete(Delta("あ", 3, (GAP,)))

    lead, middle, tail = (
        Candidate(b"\xe3", -1.0, LEAD),
        Candidate(b"\x81", -3.0, MIDDLE),
        Candidate(b"\x82", -0.25, TAIL),
    )
    assert event == Delta(
        "あ",
        3,
        (
            TokenLogprob(lead, (lead, Candidate(b" ", -2.0, 9))),
            TokenLogprob(middle, (Candidate(b"a", -0.5, A), middle)),
            TokenLogprob(tail, (tail,)),
        ),
    )


async def test_the_first_token_of_an_answer() -> None:
    """Neither it nor its rivals begin with the space that is not the answer's."""
    event = await recover(likely=-0.25, opens=True).complete(Delta("あ", 3, (GAP,)))

    assert isinstance(event, Delta)
    assert [b"\xe3", b""] == [one.text for one in event.logprobs[0].alternatives]


async def test_a_wrong_guess_is_not_told() -> None:
    """The last token would not be as likely after other tokens as it was."""
    event = await recover(likely=-0.9).complete(Delta("あ", 3, (GAP,)))

    assert isinstance(event, Delta)
    assert [GAP] == list(event.logprobs)


async def test_a_token_beyond_thousands_is_not_told() -> None:
    """To tell how likely it was would hold the engine up."""
    unlikely = Gap(GAP.chosen, (), 0, (LEAD, A + 1, TAIL))

    event = await recover(likely=-0.25).complete(Delta("あ", 3, (unlikely,)))

    assert isinstance(event, Delta)
    assert [unlikely] == list(event.logprobs)


async def test_other_events_pass() -> None:
    """They ask for nothing."""
    recovery = recover(likely=0.0)
    told = TokenLogprob(Candidate(b"a", -1.0))

    for event in (Delta("a", 1, (told,)), Delta("a", 1), Finish("stop", Usage(1, 1))):
        assert event is await recovery.complete(event)
