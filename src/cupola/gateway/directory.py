"""What the hot path knows: a snapshot of endpoints and callers, replaced whole when either changes.

The control plane pushes; a request reads one snapshot and never waits for a database.
`gateway.snapshot` builds it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from cupola.deployments.model import AuthMode
from cupola.engines.port import Profile, Replica
from cupola.gateway.split import Split
from cupola.ids import DeploymentName, EndpointName, ModelName
from cupola.kit.errors import NotFound
from cupola.quotas.model import Bound
from cupola.tokens.model import Grantee


class Pool(Protocol):
    """The replicas behind one deployment, kept running by someone else."""

    def ready(self) -> Sequence[Replica]:
        """Replicas that can answer now; may be empty."""
        ...

    async def wait_ready(self, timeout: float) -> bool:
        """Wait until `ready` is not empty, at most `timeout` seconds; whether it is."""
        ...

    def reason(self) -> str:
        """Why no replica is ready, in a sentence that may be shown to callers."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """One deployment of an endpoint, ready to be called (or waiting for its first replica)."""

    endpoint: EndpointName
    deployment: DeploymentName
    model: ModelName
    provider: str
    """As `/info` names it: `MistralAI`, `Meta`, `Cupola`."""
    model_type: str
    """As `/info` names it: `chat-completions`."""
    created: int
    """Seconds since the Unix epoch."""
    profile: Profile
    default_temperature: float
    pool: Pool


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an endpoint is called: whose it is, and what limits it."""

    project: str = ""
    kind: str = ""
    """`serverless`, `managed` or `upstream`."""
    bounds: tuple[Bound, ...] = ()
    """The endpoint's own limits and its project's, if they have any."""


NO_TERMS: Final = Terms()

Weights: TypeAlias = Mapping[DeploymentName, int]


class ServedEndpoint:
    """An endpoint, and its deployments with their shares of the traffic.

    It holds the place in the split's deck, so one whose endpoint has not changed should be kept
    for the next snapshot.
    """

    __slots__ = (
        "_only",
        "_split",
        "auth_mode",
        "deployments",
        "name",
        "terms",
        "usual",
        "weights",
    )

    def __init__(
        self,
        name: EndpointName,
        deployments: Sequence[Served],
        weights: Weights,
        auth_mode: AuthMode = AuthMode.KEY,
        terms: Terms = NO_TERMS,
    ) -> None:
        self.name = name
        self.terms = terms
        self.auth_mode = auth_mode
        self.deployments = {each.deployment: each for each in deployments}
        self.weights = {each: weights.get(each, 0) for each in self.deployments}
        with_traffic = {each: weight for each, weight in self.weights.items() if weight > 0}
        names = list(with_traffic)
        self._split = Split(with_traffic) if len(names) > 1 else None
        self._only = self.deployments[names[0]] if len(names) == 1 else None
        self.usual = self._find_usual()
        """Which most likely answers: what the endpoint is said to be. None: it has none."""

    def choose(self) -> Served:
        """The deployment for one request that names none.

        That it has no ready replica is no reason to pass it over: whoever sends 10 per cent to a
        new deployment wants to learn how that does, not to have its failures covered up.

        Raises:
            NotFound: None gets traffic.
        """
        if self._only is not None:
            return self._only
        if self._split is None:
            raise NotFound(self.explain_silence())
        return self.deployments[self._split.deal()]

    def get(self, deployment: str) -> Served:
        """The deployment of that name. Raises: NotFound, with the names there are."""
        found = self.deployments.get(DeploymentName(deployment))
        if found is None:
            raise NotFound(
                f"The endpoint '{self.name}' has no deployment '{deployment[:64]}'. "
                f"{self._list_deployments()}"
            )
        return found

    def with_traffic(self) -> Sequence[Served]:
        """Those that requests reach which name none."""
        return [self.deployments[name] for name, weight in self.weights.items() if weight > 0]

    def explain_silence(self) -> str:
        """Why `choose` has nothing to choose from, and what to do."""
        if not self.deployments:
            return f"The endpoint '{self.name}' has no deployment yet. Add one, then call it again."
        return (
            f"No deployment of the endpoint '{self.name}' gets traffic. Give one a share, as with "
            f"'cupola traffic {self.name} {next(iter(self.deployments))}=100', or name one in the "
            f"header 'azureml-model-deployment': {', '.join(self.deployments)}."
        )

    def _find_usual(self) -> Served | None:
        """The largest share; among equals the first."""
        most = max(self.deployments, key=lambda name: self.weights[name], default=None)
        return None if most is None else self.deployments[most]

    def _list_deployments(self) -> str:
        names = list(self.deployments)
        if len(names) == 1 and self._only is not None:
            return f"Its only one is '{names[0]}'; leave 'azureml-model-deployment' out to get it."
        return f"It has: {', '.join(names) or 'none yet'}."


def serve_alone(served: Served, auth_mode: AuthMode = AuthMode.KEY) -> ServedEndpoint:
    """An endpoint with one deployment, which gets all traffic."""
    return ServedEndpoint(served.endpoint, [served], {served.deployment: 100}, auth_mode)


@dataclass(frozen=True, slots=True)
class Caller:
    """What a key or a token may call: any endpoint in any of the sets."""

    reach: tuple[frozenset[EndpointName], ...]
    mode: AuthMode = AuthMode.KEY
    """What was presented. Endpoints take one or the other, whatever the sets say."""
    expires: int | None = None
    """Seconds since the Unix epoch; None: never."""
    key: str = ""
    """What records say of it: `primary` or `secondary` of an endpoint, a project key's id, or the
    subject of a token."""
    bounds: tuple[Bound, ...] = ()
    """Its own limits, if it has any."""

    def may_call(self, endpoint: EndpointName) -> bool:
        """Whether the endpoint is in reach; it need not exist."""
        for names in self.reach:  # noqa: SIM110  a generator takes longer than the look-ups
            if endpoint in names:
                return True
        return False

    def list_names(self) -> frozenset[EndpointName]:
        """All in reach."""
        return self.reach[0] if len(self.reach) == 1 else frozenset().union(*self.reach)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the gateway may know at one moment."""

    endpoints: Mapping[EndpointName, ServedEndpoint] = field(default_factory=dict)
    keys: Mapping[bytes, Caller] = field(default_factory=dict)
    """Digest of a key (`keys.model.digest`) -> what it may call."""
    token_grants: Mapping[Grantee, tuple[frozenset[EndpointName], ...]] = field(
        default_factory=dict
    )
    """Whom a verified token can stand for -> the endpoints that may then be called."""
    subject_bounds: Mapping[str, tuple[Bound, ...]] = field(default_factory=dict)
    """A token's subject -> its limits, if it has any."""


class Directory:
    """Holds the current snapshot; one per process, passed to whoever reads or replaces it."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()

    def replace(self, snapshot: Snapshot) -> None:
        """Every request that starts from now on sees `snapshot`."""
        self.snapshot = snapshot
