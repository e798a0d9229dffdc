"""The platform document: projects, endpoints, people and instance types as one YAML file.

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

from cupola.ids import NAME
from cupola.projects.model import Role

_SIZE = re.compile(r"(\d{1,9}) ?(MiB|GiB)")
_UNITS: Final[Mapping[str, int]] = {"MiB": 1024**2, "GiB": 1024**3}
_MOST_CORES: Final = 4096
_MOST: Final = 2**31 - 1
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


Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Label = Annotated[str, StringConstraints(max_length=256)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Time = Annotated[datetime, AfterValidator(_settle_time)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
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
    """What an endpoint may be asked for in a minute; null: no limit."""

    tokens_per_minute: Count | None = None
    requests_per_minute: Count | None = None


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


class ProjectEntry(_Entry):
    """The unit of tenancy."""

    display_name: str = Field(default="", max_length=200)
    core_quota: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = None
    members: dict[UserName, Role] | None = None
    subscriptions: list[ModelName] | None = None
    """Models whose offers are accepted; applying a line accepts."""
    endpoints: dict[Name, EndpointEntry] | None = None
    keys: dict[str, ProjectKeyEntry] | None = None


class Platform(_Entry):
    """A platform document of Cupola."""

    model_config = ConfigDict(title="Cupola platform document", extra="forbid", frozen=True)

    version: Literal[1]
    instance_types: dict[Name, InstanceTypeEntry] | None = None
    users: dict[UserName, UserEntry] | None = None
    projects: dict[Name, ProjectEntry] | None = None
