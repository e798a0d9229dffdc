import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.kit.errors import Invalid
from cupola.kit.money import LARGEST, NANO, Money, format_amount, parse_amount

_amounts = st.integers(-LARGEST, LARGEST)


@given(_amounts)
def test_written_is_read_again(nano: int):
    """Formatting loses nothing, whatever the amount."""
    assert nano == parse_amount(format_amount(nano))


@given(st.integers(0, 9_000_000_000), st.text("0123456789", min_size=0, max_size=9))
def test_decimals_are_exact(whole: int, decimals: str):
    """Each decimal counts for what it is; no float comes near it."""
    text = f"{whole}.{decimals}" if decimals else f"{whole}"

    assert whole * NANO + int(decimals.ljust(9, "0")) == parse_amount(text)


@given(_amounts, _amounts)
def test_sums_and_differences(first: int, second: int):
    """What was added can be taken away again; order follows the amounts."""
    one, other = Money(first, "EUR"), Money(second, "EUR")

    assert one == one + other - other
    assert (first < second) == (one < other)
    assert (first <= second) == (one <= other)


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0.00"), (1, "0.000000001"), (-2_500_000_000, "-2.50"), (1_250_000_000, "1.25")],
)
def test_amounts_for_people(nano: int, text: str):
    """At least two decimals, and as many as it takes."""
    assert f"{text} EUR" == str(Money(nano, "EUR"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "1,5",
        "1e3",
        ".5",
        "5.",
        "0.0000000001",
        "+1",
        " 1",
        "1\n",
        "\u0661",
        "nan",
        "9999999999",
    ],
)
def test_no_amount_is_refused(text: str):
    """Only plain decimal numbers that fit are amounts."""
    with pytest.raises(Invalid):
        Money.parse(text, "EUR")


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "€", "EU1"])
def test_no_currency_is_refused(currency: str):
    """A currency is three capital letters."""
    with pytest.raises(Invalid):
        Money(1, currency)


def test_money_is_never_a_float():
    """Not even one that is whole."""
    with pytest.raises(TypeError):
        Money(1.0, "EUR")  # type: ignore[arg-type]


def test_currencies_are_never_added():
    """Nor compared: there is no rate between them."""
    with pytest.raises(ValueError, match="EUR and USD"):
        Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(ValueError, match="EUR and USD"):
        assert Money(1, "EUR") < Money(1, "USD")
