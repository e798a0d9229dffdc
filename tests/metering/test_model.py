from hypothesis import given
from hypothesis import strategies as st

from cupola.metering.model import (
    HOUR,
    Opened,
    Price,
    PriceBook,
    PriceKind,
    close_request,
    reckon,
)
from tests.metering.samples import ENDED, OPENED, opened

_MODEL, _INSTANCE = PriceKind.MODEL, PriceKind.INSTANCE_TYPE


def _price(valid_from: int, version: int, hour: int = 0) -> Price:
    return Price(_INSTANCE, "small", "EUR", valid_from, hour=hour, version=version)


def test_record_has_all_that_is_known():
    """Every field of the two halves is in the record, under its own name."""
    record = close_request(OPENED, ENDED)
    halves = (OPENED, ENDED)

    for half in halves:
        for name in half.__struct_fields__:
            if name not in ("price_input", "price_output"):
                assert getattr(half, name) == getattr(record, name), name
    assert 100 * 1_000 + 50 * 2_000 == record.cost


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**12))
def test_cost_is_rounded_once(prompt: int, completion: int, price_in: int, price_out: int):
    """A cost is at most half a nano-unit from the exact one."""
    request = opened(price_input=price_in, price_output=price_out)
    exact_thousandfold = prompt * price_in + completion * price_out

    assert abs(1000 * reckon(request, prompt, completion) - exact_thousandfold) <= 500


def test_no_price_costs_nothing():
    """What nobody has set a price for is free, and says so by its version."""
    record = close_request(Opened("r", 0.0, "p", "e", "d", "managed", "k", "m", "azure"), ENDED)

    assert (0, 0, "") == (record.cost, record.price_version, record.currency)


def test_price_at_a_moment():
    """The price that became valid last holds; of two of one moment, the later said."""
    book = PriceBook([_price(200, 3), _price(100, 1), _price(100, 2)])

    assert book.find(_INSTANCE, "small", 99.9) is None
    assert _price(100, 2) == book.find(_INSTANCE, "small", 100)
    assert _price(100, 2) == book.find(_INSTANCE, "small", 199.9)
    assert _price(200, 3) == book.find(_INSTANCE, "small", 200)
    assert book.find(_MODEL, "small", 200) is None


@given(
    st.lists(st.integers(0, 20), max_size=8),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_pieces_are_what_find_says(moments: list[int], start: int, length: int):
    """A period's pieces are, second by second, the prices of those seconds."""
    book = PriceBook([_price(moment, number) for number, moment in enumerate(moments, 1)])
    seconds = [
        found
        for second in range(start, start + length)
        if (found := book.find(_INSTANCE, "small", second))
    ]
    pieces = list(book.pieces("small", start, start + length))

    assert seconds == [price for price, long in pieces for _ in range(int(long))]


def test_current_prices():
    """Of each thing the price that holds now, and none that is to come."""
    book = PriceBook([_price(100, 1), _price(300, 2), Price(_MODEL, "m", "EUR", 2 * HOUR)])

    assert {(_INSTANCE, "small"): _price(100, 1)} == book.current(200)
