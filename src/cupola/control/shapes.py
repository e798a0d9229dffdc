"""What bodies of the management API are made of."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from cupola.kit.errors import Invalid
from cupola.kit.money import parse_amount

NAME_PATTERN = r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$"
"""`ids.NAME`, as JSON Schema writes it."""


class Asked(BaseModel):
    """The body of a request: what it does not know is refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """A part of a reply."""

    model_config = ConfigDict(extra="forbid")


@lru_cache(maxsize=4096)  # lists have the same few times again and again
def _write_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    datetime,
    PlainSerializer(_write_time, return_type=str),
    Field(examples=["2026-11-21T20:00:00Z"], json_schema_extra={"format": "date-time"}),
]
Name = Annotated[
    str,
    StringConstraints(min_length=3, max_length=32, pattern=NAME_PATTERN),
    Field(examples=["my-endpoint"]),
]
"""Of projects, endpoints and deployments."""
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text without control characters."""
Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
"""The same, in several lines."""
ModelName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(description="The name of a catalog entry.", examples=["Cupola-Pilot"]),
]


def _check_amount(text: str) -> str:
    try:
        parse_amount(text)
    except Invalid as error:
        raise ValueError(error.public) from error
    return text


Amount = Annotated[
    str,
    StringConstraints(max_length=20, pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$"),
    AfterValidator(_check_amount),
    Field(description="Money: an exact decimal number as text.", examples=["0.0025"]),
]
"""Text, because numbers of JSON are read as floats, which cannot hold most amounts."""
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    Field(description="Three capital letters, as of ISO 4217.", examples=["EUR"]),
]


@lru_cache(maxsize=4096)
def when(seconds: float) -> datetime:
    """A time as replies tell it."""
    return datetime.fromtimestamp(seconds, UTC)


def when_if(seconds: float | None) -> datetime | None:
    """The same; None: never."""
    return None if seconds is None else when(seconds)
