"""Money: whole billionths of a currency's unit, never a float.

A token of a small model costs far less than a cent: 0.0000001 of a unit is 100 of these. 64 bits
hold nine billion units, more than any bill.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from cupola.kit.errors import Invalid

NANO: Final = 1_000_000_000
"""Of these make one unit."""
LARGEST: Final = 2**63 - 1
"""What the databases' integers hold."""

_AMOUNT = re.compile(r"(-?)(\d{1,10})(?:\.(\d{1,9}))?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency. Amounts of different currencies are never added."""

    nano: int
    currency: str
    """Three capital letters, as of ISO 4217."""

    def __post_init__(self) -> None:
        if type(self.nano) is not int:
            raise TypeError("Money is a whole number of nano-units.")
        if not _CURRENCY.fullmatch(self.currency):
            raise Invalid("A currency is three capital letters, as EUR or USD.")

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """`"12.5"` as money.

        Raises:
            Invalid: It is no plain decimal number, has more than nine decimals, or is too large.
        """
        return cls(parse_amount(text), currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.nano + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.nano - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.nano < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.nano <= self._same(other)

    def __str__(self) -> str:
        return f"{format_amount(self.nano)} {self.currency}"

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be reckoned together.")
        return other.nano


def parse_amount(text: str) -> int:
    """A plain decimal number, in nano-units.

    Raises:
        Invalid: It is none, has more than nine decimals, or is too large.
    """
    if (found := _AMOUNT.fullmatch(text)) is None:
        raise Invalid(
            "An amount is a decimal number with at most nine decimals, as 0.0025.", value=text[:40]
        )
    sign, whole, fraction = found.groups(default="")
    nano = int(whole) * NANO + int(fraction.ljust(9, "0"))
    if nano > LARGEST:
        raise Invalid(f"An amount is at most {format_amount(LARGEST)}.", value=text[:40])
    return -nano if sign else nano


def format_amount(nano: int) -> str:
    """The exact decimal number, with two decimals or as many as it takes."""
    whole, fraction = divmod(abs(nano), NANO)
    decimals = f"{fraction:09}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{whole}.{decimals}"
