"""A traffic split's promise: exact shares after every deck, near ones in between."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cupola.gateway.split import Split

WEIGHTS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers(0, 100), min_size=1
).filter(lambda weights: sum(weights.values()) > 0)  # fmt: skip


@given(weights=WEIGHTS, decks=st.integers(1, 5))
def test_shares_are_exact_after_every_deck(weights: dict[str, int], decks: int):
    """Not in the long run only; a weight of 0 gets nothing."""
    split = Split(weights)
    dealt = Counter(split.deal() for _ in range(decks * split.cards))

    total = sum(weights.values())
    expected = {name: decks * split.cards * weight / total for name, weight in weights.items()}
    assert {name: dealt[name] for name in weights} == expected


@given(weights=WEIGHTS, requests=st.integers(1, 1000))
def test_shares_are_near_at_any_moment(weights: dict[str, int], requests: int):
    """Off by a part of one deck, which has at most as many cards as there are weights."""
    split = Split(weights)
    dealt = Counter(split.deal() for _ in range(requests))

    total = sum(weights.values())
    for name, weight in weights.items():
        share = weight / total
        assert abs(dealt[name] - requests * share) <= split.cards * share * (1 - share) + 1e-9


def test_a_deck_is_as_small_as_it_can_be():
    """90 to 10 is even after ten requests."""
    assert 10 == Split({"blue": 90, "green": 10}).cards


def test_a_callers_pattern_does_not_meet_a_pattern_of_ours():
    """Every other request is long: by turns, one of two deployments would get all of those."""
    split = Split({"blue": 50, "green": 50})
    first, _ = zip(*((split.deal(), split.deal()) for _ in range(1000)), strict=True)

    assert 350 < Counter(first)["blue"] < 650
