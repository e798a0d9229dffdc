"""Subscriptions: once per model and project; what was accepted is kept as it was then."""

from dataclasses import dataclass
from decimal import Decimal

from cupola.ids import ModelName, ProjectName


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model is offered under, today."""

    model: ModelName
    license: str
    terms: str
    """The address of the terms."""
    price_input: Decimal
    price_output: Decimal
    """Of 1,000 tokens."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A project has accepted a model's offer."""

    project: ProjectName
    model: ModelName
    accepted: int
    """Seconds since the Unix epoch."""
    accepted_by: str
    """The user's name."""
    license: str
    terms: str
    """The address of the terms that were accepted."""
    price_input: Decimal
    price_output: Decimal
    """Of 1,000 tokens, when it was accepted."""
