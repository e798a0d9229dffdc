"""What is wanted, by whom and for whom -> the snapshot by which requests are served.

A snapshot is worked out from everything each time, so nothing can be forgotten; but what an
endpoint came to is kept from one build to the next, and made anew only where the endpoint, what
serves it, or a limit that is in it has changed. With a thousand endpoints that is a tenth of the
time; and endpoints that have not changed are in the midst of their split's deck.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from typing import Final, TypeAlias

from cupola.deployments.model import AuthMode, Deployment, Endpoint
from cupola.deployments.schemas import get_keys
from cupola.gateway.directory import Caller, Served, ServedEndpoint, Snapshot, Terms, Weights
from cupola.identity.model import User
from cupola.ids import EndpointName, ProjectName, UserId
from cupola.keys.model import Lineage
from cupola.keys.service import Keyring
from cupola.projects.model import RIGHTS, Member, Right
from cupola.quotas.model import OWN_KEYS, Bound, Limits, Scope, scope_of_own_key
from cupola.tokens.model import By, Grantee, TokenGrant

Describe: TypeAlias = Callable[[Endpoint, Deployment], Served | None]
"""What the gateway must know of a deployment; None: it cannot be served yet. The same object as
long as nothing of it has changed."""
_Derived: TypeAlias = tuple[Lineage, int, int]
_Limits: TypeAlias = Mapping[Scope, Limits]
_NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """A project's key, as far as calling goes."""

    digest: bytes
    project: ProjectName
    made_by: UserId | None
    """Who loses the right to call takes it from the keys that they made. None: the console, which
    cannot lose it."""
    endpoints: frozenset[EndpointName] | None = None
    """None: all of the project."""
    expires: int | None = None
    """Seconds since the Unix epoch; None: never."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """All that decides who may call what."""

    endpoints: Sequence[Endpoint]
    users: Sequence[User] = ()
    members: Sequence[Member] = ()
    keys: Sequence[KeyGrant] = ()
    limits: Mapping[Scope, Limits] = field(default_factory=dict)
    """What people set for projects and keys, and for endpoints beyond their own."""
    tokens: Sequence[TokenGrant] = ()
    """From the settings; users have the rights of their roles besides."""


class SnapshotBuilder:
    """Builds snapshots, each from all there is to know."""

    def __init__(self, keyring: Keyring, describe: Describe) -> None:
        self._keyring = keyring
        self._describe = describe
        self._limits: _Limits = {}
        self._made: Mapping[EndpointName, _Made] = {}

    def build(self, known: Known) -> Snapshot:
        """The snapshot of what is known now."""
        limits = known.limits
        changed = {
            scope
            for scope in {*limits, *self._limits}
            if limits.get(scope) != self._limits.get(scope)
        }
        self._made = {each.name: self._make(each, limits, changed) for each in known.endpoints}
        self._limits = limits
        keys: dict[bytes, Caller] = {}
        for each in self._made.values():
            keys.update(each.callers)
        rights = _Rights(known)
        keys.update(_list_project_keys(known.keys, _group(known.endpoints), rights, limits))
        return Snapshot(
            endpoints={name: each.served for name, each in self._made.items()},
            keys=keys,
            token_grants=_grant_tokens(known, rights),
            subject_bounds={
                scope.id: (Bound(scope, some),)
                for scope, some in limits.items()
                if scope.kind == "key"
            },
        )

    def _make(self, endpoint: Endpoint, limits: _Limits, changed: Set[Scope]) -> "_Made":
        """What was made before, if nothing of it has changed; else with the same `served` as long
        as the split is the same."""
        deployments = tuple(
            served
            for each in endpoint.deployments
            if (served := self._describe(endpoint, each)) is not None
        )
        before = self._made.get(endpoint.name)
        if before is not None and before.is_of(endpoint, deployments, changed):
            return before
        shape = _Shape(deployments, endpoint.traffic, endpoint.auth_mode)
        terms = _find_terms(endpoint, limits)
        if before is not None and before.shape == shape:
            served_endpoint = before.served
            served_endpoint.terms = terms
        else:
            served_endpoint = ServedEndpoint(
                endpoint.name, deployments, endpoint.traffic, endpoint.auth_mode, terms
            )
        known = before is not None and _derive(before.endpoint) == _derive(endpoint)
        digests = before.digests if before is not None and known else self._digest(endpoint)
        scopes = _list_scopes(endpoint)
        return _Made(
            endpoint, shape, served_endpoint, digests, scopes,
            _list_callers(endpoint.name, digests, limits),
        )  # fmt: skip

    def _digest(self, endpoint: Endpoint) -> tuple[bytes, bytes]:
        pair = get_keys(endpoint, self._keyring)
        return self._keyring.digest(pair.primary), self._keyring.digest(pair.secondary)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a `ServedEndpoint` is made of."""

    deployments: tuple[Served, ...]
    traffic: Weights
    auth_mode: AuthMode


@dataclass(frozen=True, slots=True)
class _Made:
    """What one endpoint came to, and of what it was made."""

    endpoint: Endpoint
    shape: _Shape
    served: ServedEndpoint
    digests: tuple[bytes, bytes]
    scopes: frozenset[Scope]
    """Whose limits are in it."""
    callers: Mapping[bytes, Caller]
    """By its own two keys; also of an endpoint that takes tokens, to tell its owners so."""

    def is_of(
        self, endpoint: Endpoint, deployments: tuple[Served, ...], changed: Set[Scope]
    ) -> bool:
        """Whether the same would come of these.

        Args:
            changed: Whose limits are others now.
        """
        return (
            (self.endpoint is endpoint or self.endpoint == endpoint)
            and self.shape.deployments == deployments
            and changed.isdisjoint(self.scopes)
        )


class _Rights:
    """Who may call the endpoints of which project."""

    def __init__(self, known: Known) -> None:
        self._users = {user.id: user for user in known.users if not user.disabled}
        self._callers = {
            (member.project, member.user)
            for member in known.members
            if Right.CALL in RIGHTS[member.role]
        }

    def may_call(self, project: ProjectName, user: UserId | None) -> bool:
        """None: the console, whom nobody can disable."""
        if user is None:
            return True
        found = self._users.get(user)
        if found is None:
            return False
        return found.administrator or (project, user) in self._callers

    def list_projects(self) -> Iterable[tuple[ProjectName, User]]:
        """Each project with each member who may call its endpoints."""
        for project, user in self._callers:
            if (found := self._users.get(user)) is not None and not found.administrator:
                yield project, found

    def list_administrators(self) -> Iterable[User]:
        """They may call everything."""
        return (user for user in self._users.values() if user.administrator)


def _derive(endpoint: Endpoint) -> _Derived:
    """All that an endpoint's keys depend on."""
    return (
        Lineage(endpoint.name, endpoint.project, endpoint.key_seed),
        endpoint.primary_generation,
        endpoint.secondary_generation,
    )


_ByProject: TypeAlias = Mapping[ProjectName, frozenset[EndpointName]]


def _group(endpoints: Iterable[Endpoint]) -> _ByProject:
    """One set a project, which all its keys share."""
    names: dict[ProjectName, list[EndpointName]] = {}
    for endpoint in endpoints:
        names.setdefault(endpoint.project, []).append(endpoint.name)
    return {project: frozenset(some) for project, some in names.items()}


def _list_project_keys(
    keys: Sequence[KeyGrant], projects: _ByProject, rights: _Rights, limits: _Limits
) -> dict[bytes, Caller]:
    return {
        key.digest: Caller(
            (_reach(key, projects),),
            expires=key.expires,
            key=key.id,
            bounds=_bind(Scope("key", key.id), limits),
        )
        for key in keys
        if rights.may_call(key.project, key.made_by)
    }


def _find_terms(endpoint: Endpoint, limits: _Limits) -> Terms:
    """The endpoint's own limits, but for those that people set for it by its scope."""
    scope = Scope("endpoint", endpoint.name)
    own = Limits(endpoint.limits.requests_per_minute, endpoint.limits.tokens_per_minute)
    if (given := limits.get(scope)) is not None:
        names = (one.name for one in fields(Limits))
        changed = {name: value for name in names if (value := getattr(given, name)) is not None}
        own = replace(own, **changed)
    bounds = () if own == _NO_LIMITS else (Bound(scope, own),)
    project = _bind(Scope("project", endpoint.project), limits)
    return Terms(endpoint.project, endpoint.kind.value, bounds + project)


def _list_scopes(endpoint: Endpoint) -> frozenset[Scope]:
    own = (Scope("endpoint", endpoint.name), Scope("project", endpoint.project))
    return frozenset((*own, *(scope_of_own_key(endpoint.name, key) for key in OWN_KEYS)))


def _list_callers(
    endpoint: EndpointName, digests: tuple[bytes, bytes], limits: _Limits
) -> Mapping[bytes, Caller]:
    reach = (frozenset((endpoint,)),)
    return {
        digest: Caller(reach, key=key, bounds=_bind(scope_of_own_key(endpoint, key), limits))
        for digest, key in zip(digests, OWN_KEYS, strict=True)
    }


def _bind(scope: Scope, limits: _Limits) -> tuple[Bound, ...]:
    found = limits.get(scope)
    return () if found is None or found == _NO_LIMITS else (Bound(scope, found),)


def _reach(key: KeyGrant, projects: _ByProject) -> frozenset[EndpointName]:
    """Never beyond the key's project: a name may have gone to another one meanwhile."""
    own = projects.get(key.project, frozenset())
    return own if key.endpoints is None else own & key.endpoints


def _grant_tokens(
    known: Known, rights: _Rights
) -> Mapping[Grantee, tuple[frozenset[EndpointName], ...]]:
    """By roles in projects, and by the settings; of endpoints that take tokens only."""
    endpoints = [each for each in known.endpoints if each.auth_mode is AuthMode.TOKEN]
    projects = _group(endpoints)
    everything = frozenset(each.name for each in endpoints)
    grants: dict[Grantee, list[frozenset[EndpointName]]] = {}
    for user in rights.list_administrators():
        _add(grants, _name(user), everything)
    for project, user in rights.list_projects():
        _add(grants, _name(user), projects.get(project, frozenset()))
    for grant in known.tokens:
        for name in grant.projects:
            _add(grants, grant.grantee, projects.get(ProjectName(name), frozenset()))
        _add(grants, grant.grantee, everything & grant.endpoints)
    return {grantee: tuple(sets) for grantee, sets in grants.items()}


def _add(
    grants: dict[Grantee, list[frozenset[EndpointName]]],
    grantee: Grantee | None,
    names: frozenset[EndpointName],
) -> None:
    if grantee is not None and names:
        grants.setdefault(grantee, []).append(names)


def _name(user: User) -> Grantee | None:
    """Users with a password here have no tokens of others."""
    if user.issuer is None or user.subject is None:
        return None
    return Grantee(user.issuer, By.SUBJECT, user.subject)
