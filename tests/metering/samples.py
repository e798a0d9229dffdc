"""Requests and records for tests."""

from itertools import count

import msgspec

from cupola.metering.model import Ended, Opened, UsageRecord, close_request

NOON = 1_700_049_600.0
"""12:00 UTC on a Wednesday."""
_numbers = count()

OPENED = Opened(
    request="r",
    time=NOON,
    project="default",
    endpoint="pilot",
    deployment="blue",
    kind="serverless",
    key="primary",
    model="Cupola-Pilot",
    dialect="azure",
    currency="EUR",
    price_version=3,
    price_input=1_000_000,
    price_output=2_000_000,
)
ENDED = Ended(
    prompt=100,
    completion=50,
    finish="stop",
    status=200,
    cached=64,
    queue=0.001,
    first_token=0.25,
    total=1.5,
    replica="pilot-1",
)


def opened(**changes: object) -> Opened:
    """A request with an id of its own."""
    return msgspec.structs.replace(OPENED, **{"request": f"r{next(_numbers)}", **changes})


def record(**changes: object) -> UsageRecord:
    """A record with an id of its own."""
    made = close_request(opened(), ENDED)
    return msgspec.structs.replace(made, **changes)
