"""Endpoints, the deployments behind them, and the pure decisions about their replicas.

    replica      is ready  has ended    not wanted          pause is over
    starting     ready     backing off  stopped             -
    ready        -         backing off  draining, stopped   -
    backing off  -         -            stopped             starting

A pause before a restart doubles with every failure in a row. A draining replica gets no request any
more and is stopped when the last one has ended.

An endpoint with its deployments is one aggregate: read, checked and saved as a whole, with one
version. All of it is what is *wanted*; what *is* lies with the fleet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from cupola.ids import DeploymentName, EndpointName, ModelName, ProjectName, ReplicaId

DEFAULT_PROJECT: Final = ProjectName("default")
"""Made with a new home, so that one person alone need not know of projects."""
DEFAULT_TOKENS_PER_MINUTE: Final = 200_000
DEFAULT_REQUESTS_PER_MINUTE: Final = 1_000
"""Of a serverless deployment, as the service whose clients we serve has them."""
SHARED_QUOTA_SECONDS: Final = 168 * 3600
"""How long an endpoint lives that was made without quota of its own."""


class EndpointKind(StrEnum):
    """How an endpoint's replicas are owned and billed."""

    SERVERLESS = "serverless"
    """Shared replicas, billed by token."""
    MANAGED = "managed"
    """Own instances, billed by core hour."""
    UPSTREAM = "upstream"
    """Somebody else's: requests are handed on to another service."""


class EndpointState(StrEnum):
    """What a caller may expect of an endpoint."""

    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing_off"
    """Its engine ended and will be started again after a pause."""
    STOPPED = "stopped"


class DeploymentState(StrEnum):
    """What a deployment's replicas are doing. Each but `ready` comes with a reason."""

    DOWNLOADING = "downloading"
    """Its weights are on their way."""
    STARTING = "starting"
    READY = "ready"
    UPDATING = "updating"
    """A changed spec is rolled out; what was there before answers meanwhile."""
    SCALED_TO_ZERO = "scaled_to_zero"
    """The next request wakes a replica."""
    BACKING_OFF = "backing_off"
    """Its engine ended and will be started again after a pause."""
    FAILED = "failed"
    """It cannot be started until somebody does what the reason says."""
    STOPPING = "stopping"
    STOPPED = "stopped"


class AuthMode(StrEnum):
    """What callers prove themselves with."""

    KEY = "key"
    TOKEN = "token"
    """A token of an OpenID Connect provider; managed endpoints only."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What each replica of a deployment runs. A change of it is rolled out; nothing else is."""

    model: ModelName
    quantisation: str | None = None
    """`catalog.files.Quantisation`; None: the preferred one whose weights are here or fit."""
    slots: int | None = None
    """Generations that a replica runs at once; None: as the settings say."""
    context_length: int | None = None
    """Tokens of a slot; None: as the settings and the model say."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many replicas, and on what."""

    minimum: int = 1
    """Serverless only may say 0: then the first request wakes a replica."""
    maximum: int = 1
    """Of a managed deployment equal to `minimum`: its instances."""
    instance_type: str | None = None
    """Managed deployments only, and always: what one instance has (`InstanceType`)."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model behind an endpoint."""

    name: DeploymentName
    """A serverless endpoint has exactly one, of its own name."""
    spec: Spec
    scale: Scale
    created: int
    """Seconds since the Unix epoch."""
    revision: int = 1
    """Counts changes of `spec`."""
    stable: Spec | None = None
    """The last spec with which it was healthy, to return to; None: none yet."""
    outcome: str = ""
    """Why it returned to `stable` by itself, in a sentence; empty: it did not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be asked for."""

    tokens_per_minute: int | None = DEFAULT_TOKENS_PER_MINUTE
    requests_per_minute: int | None = DEFAULT_REQUESTS_PER_MINUTE
    """None: no limit."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A name that clients call, and what stands behind it."""

    name: EndpointName
    """Unique in the installation, which is one region."""
    kind: EndpointKind
    project: ProjectName
    created: int
    """Seconds since the Unix epoch."""
    deployments: tuple[Deployment, ...]
    """In order of their names."""
    traffic: Mapping[DeploymentName, int] = field(default_factory=dict)
    """Per cent of the requests that name no deployment; together 100, or all 0."""
    auth_mode: AuthMode = AuthMode.KEY
    key_seed: str = ""
    """With the project and the name, what keys are derived from (`keys.model.derive`); no secret.
    A deleted endpoint's is never used again, so its keys stay dead when its name returns. Empty:
    the first endpoint of a new home, and those older than seeds."""
    primary_generation: int = 1
    secondary_generation: int = 1
    """Each regeneration of a key counts one up."""
    limits: Limits = Limits()
    content_safety: bool = True
    expires: int | None = None
    """When it is deleted, if it lives on the shared quota; None: never."""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    version: int = 1
    """Counts changes; the ETag."""

    @property
    def model(self) -> ModelName:
        """The model that most callers get."""
        most = max(self.deployments, key=lambda each: self.traffic.get(each.name, 0))
        return most.spec.model


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What one instance of a managed deployment has."""

    name: str
    cores: int
    memory: int
    """Bytes."""
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """One instance's running, for the bill: core hours are `cores` times its length."""

    id: str
    endpoint: EndpointName
    deployment: DeploymentName
    project: ProjectName
    model: ModelName
    instance_type: str
    cores: int
    started: int
    """Seconds since the Unix epoch."""
    seen: int
    """When it was last known to run: where an interval ends whose end nobody saw."""
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One replica, for whoever runs the platform."""

    id: ReplicaId
    state: DeploymentState
    reason: str
    """With the engine's last lines, where it ended: so it may name paths."""
    pid: int | None
    memory: int | None
    """Bytes that it holds now; None: not known."""
    started: int
    """Seconds since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """What is, of what was wanted."""

    deployment: DeploymentName
    state: DeploymentState
    reason: str
    """What holds it up and what to do, in a sentence; may be said of a ready one too."""
    progress: float | None
    """Of a download or a roll-out, 0 to 1; None: nothing is under way, or nobody knows."""
    ready: int
    wanted: int
    revision: int
    instances: tuple[InstanceStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """Which deployment of which endpoint."""

    endpoint: EndpointName
    deployment: DeploymentName

    def __str__(self) -> str:
        names = dict.fromkeys((str(self.endpoint), str(self.deployment)))
        return "/".join(names)  # a serverless deployment has its endpoint's name


@dataclass(frozen=True, slots=True)
class WeightsAbsent:
    """They are not here, and can be had."""


@dataclass(frozen=True, slots=True)
class WeightsDownloading:
    """They are on their way."""

    progress: float | None
    """0 to 1; None: nobody knows how much there is."""


@dataclass(frozen=True, slots=True)
class WeightsReady:
    """They are here, and whole."""

    path: Path
    """The first file."""
    quantisation: str
    changed: int = 0
    """When the file was, in nanoseconds of the Unix epoch: another one is looked into anew."""


@dataclass(frozen=True, slots=True)
class WeightsFailed:
    """They are not here and cannot be had, until somebody does what the reason says."""

    reason: str


WeightsState: TypeAlias = WeightsAbsent | WeightsDownloading | WeightsReady | WeightsFailed


FIRST_PAUSE = 0.1
"""Seconds before the first restart: a killed engine must be back within three seconds."""
LONGEST_PAUSE = 30.0
HEALTHY_AFTER = 60.0
"""Seconds a replica must have run for its next failure to count as the first."""


def pause_before_restart(failures: int) -> float:
    """Seconds to wait after the `failures`-th failure in a row (1, 2 ...): doubles, is bounded."""
    doublings = min(failures - 1, 16)  # bounded, so that the power cannot grow without limit
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings))


def count_failures(before: int, ran: float) -> int:
    """Failures in a row, now that a replica ended that had run for `ran` seconds."""
    return 1 if ran >= HEALTHY_AFTER else before + 1
