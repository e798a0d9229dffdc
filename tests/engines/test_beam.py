"""The search itself, on models small enough to try every reply."""

import json
from collections.abc import Mapping
from itertools import product
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.engines.llamacpp.beam import Beam, BeamSearch, Rules, Scored
from cupola.engines.llamacpp.search import Search
from cupola.engines.llamacpp.step import Stepper
from cupola.engines.port import Generation
from cupola.wire.canonical import Delta, Finish, Options
from tests.engines.test_completion import VOCABULARY

END, A, B = 0, 1, 2
TOKENS = (END, A, B)
LENGTH = 3


def rules(width: int, **changes: object) -> Rules:
    plain = {
        "width": width,
        "most_tokens": LENGTH,
        "length_penalty": 1.0,
        "early_stopping": False,
        "ends": frozenset([END]),
        "stops": frozenset(),
        "barred": frozenset(),
        "find_stop": lambda tokens: 0,
    }
    return Rules(**{**plain, **changes})  # type: ignore[arg-type]


def run(model: Mapping[tuple[int, ...], list[Scored]], given_rules: Rules) -> list[Beam]:
    search = BeamSearch(given_rules)
    while search.beams:
        ids = [tuple(token for token, _ in beam.tokens) for beam in search.beams]
        search.advance([model[one] for one in ids])
    return search.answers(given_rules.width)


@st.composite
def models(draw: st.DrawFn) -> dict[tuple[int, ...], list[Scored]]:
    """Any distribution after any beginning."""
    model = {}
    for length in range(LENGTH):
        for ids in product((A, B), repeat=length):
            weights = [draw(st.integers(1, 50)) for _ in TOKENS]
            likely = [(t, log(w / sum(weights))) for t, w in zip(TOKENS, weights, strict=True)]
            model[ids] = sorted(likely, key=lambda one: -one[1])
    return model


def replies(model: Mapping[tuple[int, ...], list[Scored]]) -> list[tuple[float, tuple[int, ...]]]:
    """Every reply there can be, with its score."""
    found = []
    for length in range(LENGTH + 1):
        for ids in product((A, B), repeat=length):
            said = [*ids, END] if length < LENGTH else list(ids)
            total = sum(dict(model[ids[:i]])[token] for i, token in enumerate(said))
            found.append((total / max(1, length), ids))
    return sorted(found, reverse=True)


@given(models())
def test_a_search_as_wide_as_the_tree_finds_the_best(model: dict[tuple[int, ...], list[Scored]]):
    """With room for every beginning, nothing is missed."""
    best = replies(model)[0]
    found = run(model, rules(width=16))[0]

    assert found.score(1.0) == pytest.approx(best[0])


@given(models(), st.integers(1, 4))
def test_answers_are_in_order_and_distinct(model: dict[tuple[int, ...], list[Scored]], width: int):
    """Best first, no reply twice, none longer than allowed."""
    found = run(model, rules(width))
    scores = [beam.score(1.0) for beam in found]
    texts = [tuple(token for token, _ in beam.tokens) for beam in found]

    assert sorted(scores, reverse=True) == scores
    assert len(set(texts)) == len(texts)
    assert all(len(text) <= LENGTH and END not in text for text in texts)


UNIFORM = {
    ids: [(A, log(0.5)), (B, log(0.3)), (END, log(0.2))]
    for length in range(LENGTH)
    for ids in product((A, B), repeat=length)
}


def test_a_stop_token_stands_in_its_beam():
    """It ends the beam like an end, but is part of it."""
    found = run(UNIFORM, rules(2, stops=frozenset([A]), barred=frozenset([END])))

    assert ("stop", (A,)) == (found[0].reason, tuple(token for token, _ in found[0].tokens))


def test_a_barred_token_is_in_no_beam():
    """However likely it is."""
    found = run(UNIFORM, rules(2, barred=frozenset([A, END])))

    assert [(B, B, B)] == [tuple(token for token, _ in beam.tokens) for beam in found]
    assert "length" == found[0].reason


def test_a_stop_string_cuts():
    """The search is told how much of the end it takes."""
    found = run(UNIFORM, rules(1, find_stop=lambda tokens: 5 if len(tokens) == 2 else 0))

    assert (5, "stop") == (found[0].cut, found[0].reason)


def test_early_stopping_takes_the_first_that_end():
    """As soon as there are enough complete ones."""
    early = run(UNIFORM, rules(1, early_stopping=True))
    patient = run(UNIFORM, rules(1))

    assert () == early[0].tokens
    assert 3 == len(patient[0].tokens)


@pytest.mark.parametrize("least", [0, 1, 3])
async def test_no_beam_ends_before_its_least_tokens(least: int):
    """However likely the end is; it may come right behind."""

    async def ask(body: bytes) -> bytes:
        likely = [{"id": 2, "logprob": -0.1}, {"id": 8, "logprob": -2.0}, {"id": 6, "logprob": -3}]
        place = {"id": 9, "logprob": -9.0, "top_logprobs": likely}
        return json.dumps({"completion_probabilities": [place]}).encode()

    options = Options(use_beam_search=True, min_tokens=least, length_penalty=0.0)
    request = Generation(prompt=("x",), max_tokens=6, beams=2, choices=2, options=options)
    search = Search(request, [1], VOCABULARY, 64, opens=False)
    events = await search.run(Stepper(VOCABULARY, ask))

    assert "No" * least == next(event.text for event in events if isinstance(event, Delta))
    assert least == min(event.usage.completion for event in events if isinstance(event, Finish))
