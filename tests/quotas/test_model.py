"""What is said of limits, and the small sums behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.kit.errors import Invalid
from cupola.quotas.model import (
    MOST,
    Allowance,
    Bound,
    Cost,
    Demand,
    LimitKind,
    Limits,
    Rate,
    Refused,
    Scope,
    Standing,
    Ticket,
    explain,
    fit,
    longest,
    price,
    write_headers,
)
from cupola.quotas.service import refusal

PILOT = Scope("endpoint", "pilot")
STANDING = Standing(Allowance(1000, 0, 12.2), Allowance(200_000, 150_000, 59.01))


@pytest.mark.parametrize("kind", LimitKind)
@pytest.mark.parametrize("value", [-1, MOST + 1])
def test_impossible_limit_is_refused(kind: LimitKind, value: int):
    """A limit is a number that can be counted to, and the fault says which one is not."""
    with pytest.raises(Invalid, match=f"{kind} must be from 0 to") as caught:
        Limits(**{kind: value})

    assert (kind,) == caught.value.path


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (
            Refused(LimitKind.REQUESTS_PER_MINUTE, PILOT, 1000, 8.2),
            "The endpoint 'pilot' is limited to 1,000 requests per minute. Try again in 9 seconds.",
        ),
        (
            Refused(LimitKind.MONEY_PER_MONTH, Scope("project", "a"), 12_500_000_000, 0.3),
            "The project 'a' is limited to a cost of 12.5 per month (UTC). Try again in 1 second.",
        ),
        (
            Refused(LimitKind.TOKENS_PER_DAY, Scope("key", "key_secret"), 10, None),
            (
                "This key is limited to 10 tokens per day (UTC). This request alone needs more. "
                "Shorten it, or ask for a higher limit."
            ),
        ),
        (
            Refused(LimitKind.MONEY_PER_MONTH, Scope("key", "key_secret"), 20_000_000_000, 1.0),
            "This key is limited to a cost of 20 per month (UTC). Try again in 1 second.",
        ),
        (
            Refused(LimitKind.CONCURRENT_REQUESTS, PILOT, 0, None),
            "The endpoint 'pilot' is limited to 0 requests at once. Ask for a higher limit.",
        ),
    ],
    ids=["requests", "money", "never", "whole money", "nothing"],
)
def test_refusal_says_all(refused: Refused, expected: str):
    """Limit, scope, value, and when it frees; of a key only that it is theirs."""
    assert expected == explain(refused)


def test_headers_of_a_refusal():
    """Seconds are whole and rounded up, so that whoever keeps to them is not early."""
    refused = Refused(LimitKind.REQUESTS_PER_MINUTE, PILOT, 1000, 11.9371, STANDING)

    assert [
        (b"x-ratelimit-limit-requests", b"1000"),
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", b"13"),
        (b"x-ratelimit-limit-tokens", b"200000"),
        (b"x-ratelimit-remaining-tokens", b"150000"),
        (b"x-ratelimit-reset-tokens", b"60"),
        (b"retry-after", b"12"),
        (b"retry-after-ms", b"11938"),
    ] == write_headers(refused)


def test_headers_of_a_success():
    """What is left is told to those who were admitted, too; nobody is told to come back."""
    ticket = Ticket("t", (), Cost(), 0, Standing(tokens=STANDING.tokens))

    assert [
        (b"x-ratelimit-limit-tokens", b"200000"),
        (b"x-ratelimit-remaining-tokens", b"150000"),
        (b"x-ratelimit-reset-tokens", b"60"),
    ] == write_headers(ticket)


def test_what_never_fits_is_not_to_be_tried_again():
    """Without a time there is no `retry-after`: clients would come back for ever."""
    refused = Refused(LimitKind.TOKENS_PER_MINUTE, PILOT, 10, None)

    assert [] == write_headers(refused)
    assert refusal(refused).retry_after is None


def test_error_waits_whole_seconds():
    """The error's wait survives rounding to the nearest second."""
    assert 8 == refusal(Refused(LimitKind.TOKENS_PER_MINUTE, PILOT, 10, 7.2)).retry_after


def test_never_is_longest():
    """Of several refusals the one that lasts is told."""
    soon, later, never = (
        Refused(LimitKind.TOKENS_PER_DAY, PILOT, 1, wait) for wait in (1.0, 2.0, None)
    )

    assert later == longest(soon, later) == longest(later, soon)
    assert never == longest(never, later) == longest(later, never)
    assert soon == longest(None, soon)


def test_price_is_rounded_up():
    """A reservation is never too small, not even by a fraction of a nano-unit."""
    assert Demand(Cost(1, 1), Cost(2001, 5)) == price(Rate(input=1, output=2), 1, 2001)


amounts = st.integers(0, 10**6)


@given(amounts, amounts, st.lists(st.none() | amounts, min_size=4, max_size=4))
def test_only_a_guess_is_cut_down(certain: int, expected: int, most: list[int | None]):
    """Never less than is certain, never more than was asked; and within the limits if it can."""
    limits = Limits(None, most[0], None, *most[1:])
    demand = Demand(Cost(certain, certain), Cost(expected, expected))
    cost = fit([Bound(PILOT, limits)], demand)

    for found, bounds in ((cost.tokens, most[:3]), (cost.money, most[3:])):
        narrowest = min((one for one in bounds if one is not None), default=MOST)
        assert certain <= found <= certain + expected
        assert found <= narrowest or found == certain
