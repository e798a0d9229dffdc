"""The platform document: projects, endpoints, people, instance types and prices in a YAML file.

A field that is not written is left as it is, or has its default when the thing is made; so a
section that is not written is not this document's business, and nothing in it is ever deleted.
Names are the keys of mappings: nothing can be in the file twice.

It holds no secret. `keys` of an endpoint says what its keys are derived from: with the same
secret of the installation they come out the same (docs/decisions/0002-keys-are-derived.md).
docs/reference/platform.schema.json is made from these classes; a test compares.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from cupola.control.shapes import Line
from cupola.ids import NAME
from cupola.kit.errors import Invalid
from cupola.kit.money import LARGEST, format_amount, parse_amount
from cupola.projects.model import Role
from cupola.quotas.model import MOST as LARGEST_LIMIT

_SIZE = re.compile(r"(\d{1,9}) ?(MiB|GiB)")
_UNITS: Final[Mapping[str, int]] = {"MiB": 1024**2, "GiB": 1024**3}
_MOST_CORES: Final = 4096
_MOST: Final = 2**31 - 1
_FLOAT_DIGITS: Final = 15
_AMOUNT: Final = r"^[0-9]{1,10}(\.[0-9]{1,9})?$"
_LAST_YEAR: Final = 9000


def _read_size(value: Any) -> Any:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * _UNITS[match[2]] if match else value


def write_size(size: int) -> int | str:
    """A number of bytes as people write it, if it is round."""
    for unit in ("GiB", "MiB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]} {unit}"
    return size


def _settle_time(time: datetime) -> datetime:
    """Whole seconds of UTC, which YAML means where it names no zone."""
    if not 2000 <= time.year <= _LAST_YEAR:
        raise ValueError("there was no Cupola then, or there will be none")
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return aware.replace(microsecond=0)


def _read_amount(value: Any) -> Any:
    """Numbers are taken, too, as far as a float holds what was written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = Decimal(repr(value))
    if not number.is_finite() or len(number.normalize().as_tuple().digits) > _FLOAT_DIGITS:
        raise ValueError("this number cannot be read exactly: write it in quotes")
    return f"{number:f}"


def _settle_amount(text: str) -> str:
    """One way to write each amount, so that equal ones are equal."""
    try:
        nano = parse_amount(text)
    except Invalid as error:
        raise ValueError(error.public) from error
    if nano < 0:
        raise ValueError("an amount is never negative")
    return format_amount(nano)


Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Label = Annotated[str, StringConstraints(max_length=256)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Time = Annotated[datetime, AfterValidator(_settle_time)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**12)]
Total = Annotated[int, Field(strict=True, ge=0, le=LARGEST_LIMIT)]
Amount = Annotated[
    str,
    BeforeValidator(_read_amount),
    AfterValidator(_settle_amount),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"pattern": _AMOUNT}]}),
]
"""Exact; a number, or text."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
BudgetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
"""It is the budget's id, unique in the installation."""
Size = Annotated[
    int,
    Field(ge=2**20, le=2**46),
    BeforeValidator(_read_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 2**20}, {"pattern": f"^{_SIZE.pattern}$"}]}
    ),
]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InstanceTypeEntry(_Entry):
    """What one instance of a managed deployment has."""

    cores: int = Field(strict=True, ge=1, le=_MOST_CORES)
    memory: Size
    """Bytes, or text such as `8 GiB`."""
    gpus: int = Field(default=0, strict=True, ge=0, le=1024)


class ModelPriceEntry(_Entry):
    """What 1,000 tokens cost."""

    currency: Currency
    input: Amount
    output: Amount


class InstancePriceEntry(_Entry):
    """What an hour of one instance costs."""

    currency: Currency
    hour: Amount


class PricesEntry(_Entry):
    """The prices that hold now; one that differs is set anew, and changes nothing that was."""

    models: dict[ModelName, ModelPriceEntry] | None = None
    instance_types: dict[Name, InstancePriceEntry] | None = None


class UserEntry(_Entry):
    """A person; a local one who is made by a document has no password yet."""

    origin: Literal["local", "oidc"] = "local"
    issuer: Text | None = None
    subject: Text | None = None
    administrator: bool = False
    disabled: bool = False

    @model_validator(mode="after")
    def _check_origin(self) -> "UserEntry":
        if (self.origin == "oidc") != bool(self.issuer and self.subject):
            raise ValueError("issuer and subject belong to origin oidc, and only to it")
        return self


class DeploymentEntry(_Entry):
    """A model behind an endpoint."""

    model: ModelName
    quantisation: str | None = Field(default=None, max_length=64)
    slots: int | None = Field(default=None, strict=True, ge=1, le=256)
    context_length: int | None = Field(default=None, strict=True, ge=1, le=_MOST)
    min_replicas: int = Field(default=1, strict=True, ge=0, le=50)
    """Serverless only, as `max_replicas`."""
    max_replicas: int = Field(default=1, strict=True, ge=1, le=50)
    instance_type: str | None = Field(default=None, max_length=64)
    """Managed only, as `instances`."""
    instances: int = Field(default=1, strict=True, ge=1, le=50)


class LimitsEntry(_Entry):
    """What a project, an endpoint or a key may use; null: no limit."""

    tokens_per_minute: Count | None = None
    requests_per_minute: Count | None = None
    concurrent_requests: Count | None = None
    tokens_per_day: Total | None = None
    tokens_per_month: Total | None = None
    money_per_month: Amount | None = None
    """In the currency of the prices."""


class KeyLimitsEntry(_Entry):
    """What callers with one of an endpoint's own keys may use."""

    primary: LimitsEntry | None = None
    secondary: LimitsEntry | None = None


class LineageEntry(_Entry):
    """What an endpoint's keys are derived from, beside the installation's secret."""

    seed: str = Field(pattern=r"^[A-Za-z0-9_]{0,64}$")
    primary: int = Field(default=1, strict=True, ge=1, le=_MOST)
    secondary: int = Field(default=1, strict=True, ge=1, le=_MOST)


class EndpointEntry(_Entry):
    """A name that clients call, and what stands behind it."""

    kind: Literal["serverless", "managed"]
    deployments: dict[Name, DeploymentEntry] = Field(min_length=1, max_length=20)
    traffic: dict[Name, Annotated[int, Field(strict=True, ge=0, le=100)]] | None = None
    """Per cent; together 100, or all 0."""
    auth_mode: Literal["key", "token"] = "key"
    content_safety: bool | None = None
    """Null: as its kind has it, on for serverless ones."""
    limits: LimitsEntry | None = None
    key_limits: KeyLimitsEntry | None = None
    description: Text = ""
    tags: dict[Label, Label] = Field(default_factory=dict, max_length=50)
    expires: Time | None = None
    """When it is deleted, if it lives on the shared quota."""
    keys: LineageEntry | None = None
    """Counts when the endpoint is made; those of one that is there stay as they are."""

    @model_validator(mode="after")
    def _check_kind(self) -> "EndpointEntry":
        managed = self.kind == "managed"
        for name, each in self.deployments.items():
            if managed and each.instance_type is None:
                raise ValueError(f"deployment {name}: a managed one needs an instance_type")
            said = each.model_fields_set
            if managed and said & {"min_replicas", "max_replicas"}:
                raise ValueError(f"deployment {name}: a managed one has instances, no replicas")
            if not managed and (each.instance_type or "instances" in said):
                raise ValueError(f"deployment {name}: a serverless one has no instances")
        return self


class ProjectKeyEntry(_Entry):
    """A key for the project-wide routes. It cannot be made again: its secret is nowhere."""

    endpoints: list[Name] | None = None
    expires: Time | None = None
    limits: LimitsEntry | None = None
    """All that can be changed of one that is there."""


class BudgetEntry(_Entry):
    """What may be spent: money (`amount` and `currency`), or `tokens`."""

    scope: Literal["project", "endpoint", "key"] = "project"
    subject: Line | None = None
    """The endpoint's name, or that of the project key."""
    amount: Amount | None = None
    currency: Currency | None = None
    tokens: Annotated[int, Field(strict=True, ge=1, le=LARGEST)] | None = None
    period: Literal["day", "month", "total"] = "month"
    warn: list[Annotated[int, Field(strict=True, ge=1, le=1000)]] = Field(
        default=[80, 100], max_length=10
    )
    """Per cent, rising."""
    refuse: bool = False
    webhook: Annotated[Line, Field(max_length=500)] | None = None
    """An export leaves it out: it may hold a secret."""

    @model_validator(mode="after")
    def _check_whole(self) -> "BudgetEntry":
        money = (self.amount is not None, self.currency is not None)
        if money not in ((True, True), (False, False)) or any(money) == (self.tokens is not None):
            raise ValueError("a budget has an amount and its currency, or tokens")
        if (self.scope == "project") != (self.subject is None):
            raise ValueError("subject belongs to budgets of endpoints and keys, and only to them")
        return self


class ProjectEntry(_Entry):
    """The unit of tenancy."""

    display_name: str = Field(default="", max_length=200)
    core_quota: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None
    limits: LimitsEntry | None = None
    members: dict[UserName, Role] | None = None
    subscriptions: list[ModelName] | None = None
    """Models whose offers are accepted; applying a line accepts."""
    endpoints: dict[Name, EndpointEntry] | None = None
    keys: dict[str, ProjectKeyEntry] | None = None
    budgets: dict[BudgetName, BudgetEntry] | None = None


class Platform(_Entry):
    """A platform document of Cupola."""

    model_config = ConfigDict(title="Cupola platform document", extra="forbid", frozen=True)

    version: Literal[1]
    instance_types: dict[Name, InstanceTypeEntry] | None = None
    prices: PricesEntry | None = None
    users: dict[UserName, UserEntry] | None = None
    projects: dict[Name, ProjectEntry] | None = None
