"""What requests are served by: a snapshot of endpoints and callers, and who keeps it true."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cupola.app.metering import Metering
from cupola.app.models import describe_model
from cupola.app.state import State
from cupola.deployments.fleet import Fleet
from cupola.deployments.model import Deployment, Endpoint
from cupola.engines.port import Profile, Replica
from cupola.gateway.authenticate import Verifier
from cupola.gateway.directory import Directory, Pool, Served
from cupola.gateway.publish import Publisher
from cupola.gateway.snapshot import KeyGrant, Known, SnapshotBuilder
from cupola.ids import DeploymentName, EndpointName
from cupola.keys.model import ProjectKey
from cupola.kit.clock import Clock
from cupola.kit.errors import CupolaError
from cupola.tokens.model import Policy

_NO_PROFILE = Profile(
    context_length=1,
    chat_template="",
    bos_token="",
    eos_token="",
    control_tokens={},
    tool_calls_token=None,
    grammar=True,
    takes_conversations=True,
)
"""Of a model whose weights are not here: nothing is made of a request but a refusal."""

_Place: TypeAlias = tuple[EndpointName, DeploymentName]


def make_publisher(
    directory: Directory, state: State, fleet: Fleet, policy: Policy, metering: Metering
) -> Publisher:
    """What puts all that is known now before the gateway."""
    stores = state.stores

    async def read() -> Known:
        await metering.prices.refresh()
        limits = await metering.kept.refresh()
        async with state.database.reading():
            keys = [_grant(each) for each in await stores.project_keys.list_all()]
            return Known(
                endpoints=await state.endpoints.list_endpoints(),
                users=await stores.users.list(),
                members=await stores.projects.list_all_members(),
                keys=keys,
                limits=limits,
                tokens=policy.grants,
            )

    return Publisher(directory, SnapshotBuilder(state.keys, Describer(state, fleet)), read)


def _grant(key: ProjectKey) -> KeyGrant:
    endpoints = None if key.endpoints is None else frozenset(key.endpoints)
    return KeyGrant(key.digest, key.project, key.made_by, endpoints, key.expires, key.id)


def make_verifier(policy: Policy, clock: Clock) -> Verifier | None:
    """What verifies tokens needs packages of its own, and time to be imported."""
    if not policy.issuers:
        return None
    try:
        from cupola.tokens.service import Tokens  # noqa: PLC0415  as above
        from cupola.tokens.store import HttpKeySource  # noqa: PLC0415  as above
    except ImportError as error:
        raise CupolaError(
            "identity.toml has the section [tokens], but what reads tokens is not installed. "
            "Install it with: pip install 'cupola[oidc]'.",
            private=str(error),
        ) from error
    return Tokens(policy, HttpKeySource(), clock)


class Describer:
    """What the gateway must know of each deployment; the same object until something changes."""

    def __init__(self, state: State, fleet: Fleet) -> None:
        self._state = state
        self._fleet = fleet
        self._known: dict[_Place, tuple[Deployment, Profile | None, Served]] = {}

    def __call__(self, endpoint: Endpoint, deployment: Deployment) -> Served:
        place = (endpoint.name, deployment.name)
        pool = self._fleet.pool(*place)
        profile = pool.profile
        known = self._known.get(place)
        if known is not None and known[0] == deployment and known[1] is profile:
            return known[2]
        served = self._describe(endpoint, deployment, pool, profile)
        self._known[place] = (deployment, profile, served)
        return served

    def _describe(
        self, endpoint: Endpoint, deployment: Deployment, pool: Pool, profile: Profile | None
    ) -> Served:
        upstream = self._state.upstreams.get(endpoint.name)
        usual = describe_model(self._state, deployment.spec.model, upstream)
        return Served(
            endpoint=endpoint.name,
            deployment=deployment.name,
            model=deployment.spec.model,
            provider=usual.publisher,
            model_type=usual.task,
            created=endpoint.created,
            profile=profile or _NO_PROFILE,
            default_temperature=usual.temperature,
            pool=pool if profile else _NotYet(pool),
        )


@dataclass(frozen=True, slots=True)
class _NotYet:
    """A pool before anybody knows how its prompts are laid out: nothing can be handed to it."""

    pool: Pool

    def ready(self) -> Sequence[Replica]:
        return ()

    async def wait_ready(self, timeout: float) -> bool:
        return False

    def reason(self) -> str:
        return self.pool.reason()
