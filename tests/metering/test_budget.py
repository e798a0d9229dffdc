from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.kit.errors import Invalid
from cupola.metering.budget import (
    TOKENS,
    Budget,
    Period,
    Scope,
    end_of,
    evaluate,
    spending_of,
    start_of,
)
from cupola.metering.model import DAY
from tests.metering.samples import record

BUDGET = Budget("bud_1", "default", Scope.PROJECT, "default", TOKENS, 1000, Period.MONTH)


@given(st.integers(0, 3000), st.sets(st.integers(1, 200), max_size=5), st.sets(st.integers(1, 200)))
def test_each_share_is_said_once(spent: int, warn: set[int], said: set[int]):
    """Due is what is reached and was not said; said again, nothing is."""
    budget = replace(BUDGET, warn=tuple(sorted(warn)))
    due = evaluate(budget, spent, frozenset(said)).due

    assert [share for share in sorted(warn - said) if spent >= 10 * share] == list(due)
    assert () == evaluate(budget, spent, frozenset(said) | set(due)).due


@pytest.mark.parametrize(
    ("spent", "refuse", "refused"), [(999, True, False), (1000, True, True), (5000, False, False)]
)
def test_refused_at_all_of_it(spent: int, refuse: bool, refused: bool):
    """Only a budget that refuses does, from its last token on."""
    assert refused == evaluate(replace(BUDGET, refuse=refuse), spent, frozenset()).refused


@given(st.integers(0, 4_000_000_000))
def test_periods_hold_their_moment(now: int):
    """A period begins at or before its moment, ends after it, at a midnight each."""
    for period in (Period.DAY, Period.MONTH):
        start, end = start_of(period, now), end_of(period, now)

        assert end is not None
        assert start <= now < end
        assert 0 == start % DAY == end % DAY
        assert end == start_of(period, end)
    assert (0, None) == (start_of(Period.TOTAL, now), end_of(Period.TOTAL, now))
    assert 1 == datetime.fromtimestamp(start_of(Period.MONTH, now), UTC).day


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": 2**63},
        {"unit": "euro"},
        {"warn": (100, 80)},
        {"warn": (0, 80)},
        {"warn": tuple(range(1, 12))},
        {"subject": "other"},
        *(
            {"webhook": url}
            for url in (
                "",
                "ftp://host/",
                "https://",
                "https://name:word@host/",
                "https://host:port/",
                "http://[::1",
                "https://h\u00f6st/",
                "/path",
            )
        ),
    ],
    ids=str,
)
def test_senseless_budgets_are_refused(changes: dict[str, object]):
    """A budget that could never work is refused when it is made."""
    with pytest.raises(Invalid):
        replace(BUDGET, **changes)  # type: ignore[arg-type]


def test_spending_of_a_record():
    """Tokens always, money in the record's currency if it had a price."""
    assert {TOKENS: 150, "EUR": 7} == spending_of(record(cost=7))
    assert {TOKENS: 150} == spending_of(record(cost=0, currency=""))


def test_amounts_for_people():
    """In the budget's unit."""
    assert "1000 tokens" == BUDGET.spell(1000)
    assert "1.50 EUR" == replace(BUDGET, unit="EUR").spell(1_500_000_000)
