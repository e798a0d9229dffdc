"""`?since=7d`, or `?from=&to=`: which time a question about usage is about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import AwareDatetime, StringConstraints

from cupola.control.services import Parts
from cupola.kit.errors import Invalid
from cupola.metering.model import DAY, HOUR

_UNITS: Final[Mapping[str, int]] = {"h": HOUR, "d": DAY, "w": 7 * DAY}
_USUAL: Final = "7d"
_LATEST: Final = 253_402_214_400
"""Seconds since the Unix epoch: the last day of the year 9999, beyond which no time is written."""
_SINCE: Final = r"^[1-9][0-9]{0,3}[hdw]$"


@dataclass(frozen=True, slots=True)
class Period:
    """Seconds since the Unix epoch; the end is exclusive."""

    start: float
    end: float


def read_period(
    services: Parts,
    from_: Annotated[
        AwareDatetime | None,
        Query(alias="from", description="Its begin.", examples=["2026-11-01T00:00:00Z"]),
    ] = None,
    to: Annotated[
        AwareDatetime | None,
        Query(description="Its end, exclusive; left out: now.", examples=["2026-12-01T00:00:00Z"]),
    ] = None,
    since: Annotated[
        Annotated[str, StringConstraints(pattern=_SINCE)] | None,
        Query(
            description="Instead of `from`: so many hours, days or weeks before the end. "
            f"With neither: {_USUAL}.",
            examples=["24h", "7d", "4w"],
        ),
    ] = None,
) -> Period:
    """Raises: Invalid, for a period that ends before it begins, or begins twice."""
    if from_ is not None and since is not None:
        raise Invalid("Give either 'from' or 'since', not both.", path=("since",))
    end = services.clock.now() if to is None else to.timestamp()
    start = end - read_length(since or _USUAL) if from_ is None else from_.timestamp()
    start, end = max(0.0, start), min(end, _LATEST)
    if end <= start:
        raise Invalid("The period must end after it starts.", path=("from",))
    return Period(start, end)


def read_length(text: str) -> int:
    """`7d` in seconds. Raises: Invalid."""
    if re.fullmatch(_SINCE, text) is None:
        raise Invalid("A length of time looks like 24h, 7d or 4w.", path=("since",))
    return int(text[:-1]) * _UNITS[text[-1]]


AnyPeriod = Annotated[Period, Depends(read_period)]
