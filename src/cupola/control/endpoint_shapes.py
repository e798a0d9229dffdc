"""Bodies of endpoints and deployments."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from cupola.control.shapes import Asked, Line, ModelName, Name, Text, Time, Told, when, when_if
from cupola.control.states import State, read_deployment, read_endpoint
from cupola.deployments.model import (
    AuthMode,
    Deployment,
    DeploymentState,
    DeploymentStatus,
    Endpoint,
    EndpointKind,
    Limits,
)

_MOST_A_MINUTE = 10**12
_MOST_SLOTS = 256
_MOST_CONTEXT = 2**30
_MOST_COUNTED = 10**6
"""What is too many for an endpoint says the service, in words; this bounds the numbers only."""

Rate = Annotated[int, Field(ge=1, le=_MOST_A_MINUTE)] | None
Count = Annotated[int, Field(ge=0, le=_MOST_COUNTED)]
Slots = Annotated[int, Field(ge=1, le=_MOST_SLOTS)] | None
Context = Annotated[int, Field(ge=1, le=_MOST_CONTEXT)] | None
Quantisation = Annotated[str, StringConstraints(max_length=20), Field(examples=["Q4_K_M"])]
Percent = Annotated[int, Field(ge=0, le=100)]
Tags = Annotated[
    dict[Annotated[Line, Field(max_length=64)], Line],
    Field(max_length=50, examples=[{"team": "a"}]),
]
Shares = Annotated[dict[Name, Percent], Field(max_length=20, examples=[{"blue": 90, "green": 10}])]


class LimitsAsked(Asked):
    """What an endpoint may be asked for in a minute; null: no limit."""

    tokens_per_minute: Rate = None
    requests_per_minute: Rate = None

    def as_model(self) -> Limits:
        return Limits(self.tokens_per_minute, self.requests_per_minute)


class NewEndpoint(Asked):
    """An endpoint and its first deployment."""

    name: Name
    kind: Literal["serverless", "managed"]
    model: ModelName
    auth_mode: Literal["key", "token"] = Field(
        default="key", description="What callers prove themselves with; `token`: managed only."
    )
    quantisation: Quantisation | None = None
    slots: Slots = None
    context_length: Context = None
    accept_terms: bool = Field(
        default=False, description="Serverless: accept the model's offer, if it is not yet."
    )
    min_replicas: Count | None = Field(
        default=None, description="Serverless; 0: the first request wakes a replica. Usually 1."
    )
    max_replicas: Count | None = Field(default=None, description="Serverless; usually 1.")
    instance_type: Line | None = Field(default=None, description="Managed, and needed there.")
    instances: Count | None = Field(default=None, description="Managed; usually 1.")
    deployment: Name | None = Field(
        default=None, description="Managed: the first deployment's name; usually the endpoint's."
    )
    shared_quota: bool = Field(
        default=False,
        description="Managed: count against no quota, and be deleted after 168 hours.",
    )
    content_safety: bool | None = Field(
        default=None, description="Null: on for serverless endpoints, off for managed ones."
    )
    limits: LimitsAsked | None = Field(
        default=None,
        description="Null: 200,000 tokens and 1,000 requests for serverless, none for managed.",
    )
    description: Text = ""
    tags: Tags = Field(default_factory=dict)


class EndpointEdits(Asked):
    """What is to change; what is left out, or null, stays."""

    description: Text | None = None
    tags: Tags | None = None
    limits: LimitsAsked | None = None
    content_safety: bool | None = None
    traffic: Shares | None = Field(
        default=None, description="Per cent of the requests; together 100, or all 0."
    )
    auth_mode: Literal["key", "token"] | None = None
    min_replicas: Count | None = Field(default=None, description="Serverless only.")
    max_replicas: Count | None = Field(default=None, description="Serverless only.")


class NewDeployment(Asked):
    """A deployment of a managed endpoint."""

    model: ModelName
    quantisation: Quantisation | None = None
    instance_type: Line
    instances: Count = 1
    slots: Slots = None
    context_length: Context = None


class DeploymentEdits(Asked):
    """What is to change; what is left out, or null, stays. A change of what replicas run (`model`,
    `quantisation`, `slots`, `context_length`) is rolled out."""

    model: ModelName | None = None
    quantisation: Quantisation | None = None
    instance_type: Line | None = None
    instances: Count | None = Field(default=None, description="Managed only.")
    min_replicas: Count | None = Field(default=None, description="Serverless only.")
    max_replicas: Count | None = Field(default=None, description="Serverless only.")
    slots: Slots = None
    context_length: Context = None


class KeyChoice(Asked):
    """Which key."""

    key: Literal["primary", "secondary"]


class KeyPairResource(Told):
    """An endpoint's keys, both valid; null: you may not see them."""

    primary_key: str | None
    secondary_key: str | None


class LimitsResource(Told):
    """What an endpoint may be asked for in a minute; null: no limit."""

    tokens_per_minute: int | None
    requests_per_minute: int | None


class DeploymentResource(Told):
    """A model behind an endpoint: what is wanted, and what is."""

    name: str
    model: str
    quantisation: str | None
    instance_type: str | None
    instances: int | None = Field(description="Wanted, of a managed deployment.")
    min_replicas: int | None
    max_replicas: int | None
    slots: int | None
    context_length: int | None
    revision: int = Field(description="Counts changes of what its replicas run.")
    state: DeploymentState
    reason: str | None = Field(description="Why it is not ready, and what to do.")
    progress: float | None = Field(description="0 to 1; null: not to be known.")
    ready: int = Field(description="Replicas that answer.")
    wanted: int = Field(description="Replicas that there should be now.")
    outcome: str | None = Field(description="Why it returned to an earlier revision by itself.")
    created: Time


class EndpointResource(Told):
    """A name that clients call, and what stands behind it."""

    name: str
    project: str
    kind: EndpointKind
    model: str = Field(description="The one that most callers get.")
    state: State
    reason: str | None = Field(description="Why it is not ready, and what to do.")
    progress: float | None = Field(description="0 to 1; null: not to be known.")
    target_uri: str = Field(description="What clients take as their endpoint.")
    auth_mode: AuthMode
    content_safety: bool
    traffic: dict[str, int]
    limits: LimitsResource
    expires: Time | None = Field(description="When it is deleted: it is on the shared quota.")
    description: str
    tags: dict[str, str]
    created: Time
    version: int
    deployments: list[DeploymentResource]


def show_endpoint(
    endpoint: Endpoint,
    statuses: Sequence[DeploymentStatus],
    base_url: str,
    state: State | None = None,
) -> EndpointResource:
    """An endpoint as replies tell of it.

    Args:
        state: What it is whatever its deployments are; None: as they are.
    """
    condition = read_endpoint(endpoint, statuses)
    limits = endpoint.limits
    return EndpointResource(
        name=endpoint.name,
        project=endpoint.project,
        kind=endpoint.kind,
        model=endpoint.model,
        state=state or condition.state,
        reason=condition.reason or None,
        progress=condition.progress,
        target_uri=f"{base_url}/endpoints/{endpoint.name}",
        auth_mode=endpoint.auth_mode,
        content_safety=endpoint.content_safety,
        traffic={f"{name}": share for name, share in endpoint.traffic.items()},
        limits=LimitsResource(
            tokens_per_minute=limits.tokens_per_minute,
            requests_per_minute=limits.requests_per_minute,
        ),
        expires=when_if(endpoint.expires),
        description=endpoint.description,
        tags=dict(endpoint.tags),
        created=when(endpoint.created),
        version=endpoint.version,
        deployments=[show_deployment(endpoint, each, statuses) for each in endpoint.deployments],
    )


def show_deployment(
    endpoint: Endpoint, deployment: Deployment, statuses: Sequence[DeploymentStatus]
) -> DeploymentResource:
    """A deployment as replies tell of it."""
    status = read_deployment(deployment, statuses)
    spec, scale = deployment.spec, deployment.scale
    managed = endpoint.kind is EndpointKind.MANAGED
    return DeploymentResource(
        name=deployment.name,
        model=spec.model,
        quantisation=spec.quantisation,
        instance_type=scale.instance_type,
        instances=scale.maximum if managed else None,
        min_replicas=None if managed else scale.minimum,
        max_replicas=None if managed else scale.maximum,
        slots=spec.slots,
        context_length=spec.context_length,
        revision=deployment.revision,
        state=status.state,
        reason=status.reason or None,
        progress=status.progress,
        ready=status.ready,
        wanted=status.wanted,
        outcome=deployment.outcome or None,
        created=when(deployment.created),
    )
