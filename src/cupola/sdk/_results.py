"""What the server replies, as frozen values. Fields that are unknown here are passed over, and
those that an older server does not send have their defaults, so that versions may differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    id: str
    name: str
    origin: str = "local"
    """Who vouches for them: `local` or `oidc`."""
    administrator: bool = False
    disabled: bool = False
    created: datetime | None = None
    issuer: str | None = None
    subject: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Membership:
    """A project that one belongs to."""

    name: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks."""

    user: User
    administrator: bool = False
    scopes: tuple[str, ...] | None = None
    """Rights beyond which the token cannot go; None: its user's."""
    projects: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, or a token made for a program."""

    id: str
    label: str = ""
    created: datetime | None = None
    expires: datetime | None = None
    scopes: tuple[str, ...] | None = None
    """Rights beyond which it cannot go; None: its user's."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A token, shown once."""

    token: str
    expires: datetime | None = None
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person types at `verification_uri` to let this program in."""

    device_code: str
    user_code: str
    verification_uri: str
    interval: float = 5.0
    """Seconds between two questions whether they have."""
    expires_in: float = 600.0
    verification_uri_complete: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """The unit of tenancy."""

    name: str
    display_name: str = ""
    core_quota: int | None = None
    """None: the installation's default."""
    created: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A user's role in a project."""

    user: str
    """Their id."""
    name: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """An entry of the catalog."""

    name: str
    publisher: str = ""
    collection: str = ""
    summary: str = ""
    task: str = ""
    license: str = ""
    terms: str = ""
    preview: bool = False
    languages: tuple[str, ...] = ()
    context_length: int = 0
    parameters: int | None = None
    capabilities: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    price_input: str = "0"
    price_output: str = "0"
    weights: tuple[Mapping[str, Any], ...] = ()
    fits: bool | None = None
    """Whether this machine can run it; None: not to be known."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A project's acceptance of a model's offer, as it was then."""

    model: str
    project: str = ""
    accepted: datetime | None = None
    accepted_by: str = ""
    license: str = ""
    terms: str = ""
    price_input: str = "0"
    price_output: str = "0"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be asked for in a minute; None: no limit."""

    tokens_per_minute: int | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model behind an endpoint: what is wanted, and what is."""

    name: str
    model: str
    quantisation: str | None = None
    instance_type: str | None = None
    instances: int | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None
    slots: int | None = None
    context_length: int | None = None
    revision: int = 1
    state: str = ""
    reason: str | None = None
    progress: float | None = None
    """Of a download or a start, 0 to 1."""
    ready: int = 0
    wanted: int = 0
    outcome: str | None = None
    """Why it returned to an earlier revision by itself."""
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A name that clients call, and what stands behind it."""

    name: str
    project: str = ""
    kind: str = ""
    model: str = ""
    state: str = ""
    reason: str | None = None
    """Why it is not ready, and what to do."""
    progress: float | None = None
    target_uri: str = ""
    auth_mode: str = "key"
    content_safety: bool = True
    traffic: Mapping[str, int] = field(default_factory=dict)
    limits: Limits = Limits()
    expires: datetime | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    version: int = 1
    deployments: tuple[Deployment, ...] = ()
    operation: str | None = None
    """What the change started, for `operations.wait`; None: nothing."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An endpoint's two keys, both valid; None where they are not for this caller to see."""

    primary_key: str | None
    secondary_key: str | None


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """A key for the project-wide routes."""

    id: str
    name: str
    endpoints: tuple[str, ...] | None = None
    """None: all of the project's."""
    made_by: str = ""
    created: datetime | None = None
    expires: datetime | None = None
    key: str | None = None
    """Shown once, in the reply to `create`."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change, and who made it."""

    action: str
    target: str
    actor: str
    time: datetime | None = None
    project: str | None = None
    source: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one group used."""

    group: Mapping[str, str]
    """A value for each thing that it is grouped by."""
    requests: int = 0
    failures: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    core_seconds: int = 0
    core_hours: float = 0.0
    """`core_seconds` in hours, rounded."""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Usage by groups, in their order."""

    start: datetime
    end: datetime
    by: tuple[str, ...] = ()
    items: tuple[UsageLine, ...] = ()


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one group cost in one currency."""

    group: Mapping[str, str]
    currency: str = ""
    cost: str = "0"
    """An exact decimal number."""


@dataclass(frozen=True, slots=True)
class CostReport:
    """Cost by groups, in their order; what had no price is not in it."""

    start: datetime
    end: datetime
    by: tuple[str, ...] = ()
    items: tuple[CostLine, ...] = ()


@dataclass(frozen=True, slots=True)
class AllLimits:
    """What a project, an endpoint or a key may use; None: no such limit."""

    scope: str
    subject: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    money_per_month: str | None = None
    """An exact decimal number."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens, or an instance type's hours, cost from a moment on."""

    kind: str
    """`model` or `instance_type`."""
    name: str
    currency: str = ""
    valid_from: datetime | None = None
    input: str | None = None
    """Of 1,000 tokens of prompts, an exact decimal number, as in the next two."""
    output: str | None = None
    """Of 1,000 tokens of completions."""
    hour: str | None = None
    """Of an hour of one instance."""
    current: bool = False
    """Whether it is the one that holds now."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent, and how it stands."""

    id: str
    project: str = ""
    scope: str = "project"
    subject: str = ""
    amount: str | None = None
    """An exact decimal number; None: it is one of tokens."""
    currency: str | None = None
    tokens: int | None = None
    period: str = "month"
    period_start: datetime | None = None
    warn: tuple[int, ...] = ()
    """Per cent."""
    refuse: bool = False
    webhook: str | None = None
    spent_amount: str | None = None
    spent_tokens: int | None = None
    share: int = 0
    """Per cent that is spent."""
    refusing: bool = False
    """Whether requests are refused now."""
    created: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that was given, and how its delivery stands."""

    id: str
    budget: str = ""
    share: int = 0
    period_start: datetime | None = None
    created: datetime | None = None
    message: Mapping[str, Any] = field(default_factory=dict)
    """What the webhook gets."""
    attempts: int = 0
    delivered: datetime | None = None
    next_attempt: datetime | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What one instance of a managed deployment has."""

    name: str
    cores: int
    memory: int
    """Bytes."""
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """Work that goes on after its request was answered."""

    id: str
    kind: str = ""
    target: str = ""
    status: str = "running"
    """`running`, `succeeded`, `failed` or `cancelled`."""
    progress: float | None = None
    reason: str | None = None
    created: datetime | None = None
    ended: datetime | None = None

    @property
    def is_done(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which what is differs from what is wanted."""

    path: tuple[str | int, ...] = ()
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class Change:
    """What applying a document does to one thing."""

    action: str
    """`create`, `update`, `delete` or `unchanged`."""
    kind: str
    name: str
    diff: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What applying a document did, or would do."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    """What the document says that cannot be brought about, and what to do instead."""

    @property
    def is_empty(self) -> bool:
        """Whether all is already as the document has it."""
        return all(change.action == "unchanged" for change in self.changes)
