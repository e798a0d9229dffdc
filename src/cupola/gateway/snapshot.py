"""What is wanted, by whom and for whom -> the snapshot by which requests are served.

Everything is worked out anew each time, so nothing can be forgotten; what costs time is kept from
one build to the next: the digests of keys, which cost a keyed hash each, and endpoints that have
not changed, which are in the midst of their split's deck.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    made_by: UserId
    """Who loses the right to call takes it from the keys that they made."""
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
        self._digests: dict[_Derived, tuple[bytes, bytes]] = {}
        self._endpoints: Mapping[EndpointName, tuple[_Shape, ServedEndpoint]] = {}

    def build(self, known: Known) -> Snapshot:
        """The snapshot of what is known now."""
        limits = known.limits
        self._endpoints = {each.name: self._serve(each, limits) for each in known.endpoints}
        projects = _group(known.endpoints)
        rights = _Rights(known)
        return Snapshot(
            endpoints={name: served for name, (_, served) in self._endpoints.items()},
            keys={
                **self._list_keys(known.endpoints, limits),
                **_list_project_keys(known.keys, projects, rights, limits),
            },
            token_grants=_grant_tokens(known, rights),
            subject_bounds={
                scope.id: (Bound(scope, some),)
                for scope, some in limits.items()
                if scope.kind == "key"
            },
        )

    def _serve(self, endpoint: Endpoint, limits: _Limits) -> tuple["_Shape", ServedEndpoint]:
        deployments = tuple(
            served
            for each in endpoint.deployments
            if (served := self._describe(endpoint, each)) is not None
        )
        terms = _find_terms(endpoint, limits)
        shape = _Shape(deployments, endpoint.traffic, endpoint.auth_mode)
        before = self._endpoints.get(endpoint.name)
        if before is not None and before[0] == shape:
            before[1].terms = terms
            return before
        made = ServedEndpoint(
            endpoint.name, deployments, endpoint.traffic, endpoint.auth_mode, terms
        )
        return shape, made

    def _list_keys(self, endpoints: Sequence[Endpoint], limits: _Limits) -> dict[bytes, Caller]:
        """Both keys of each; also of those that take tokens, to tell their owners so."""
        digests: dict[_Derived, tuple[bytes, bytes]] = {}
        callers: dict[bytes, Caller] = {}
        for endpoint in endpoints:
            derived = _derive(endpoint)
            pair = digests[derived] = self._digests.get(derived) or self._digest(endpoint)
            reach = (frozenset((endpoint.name,)),)
            for digest, key in zip(pair, OWN_KEYS, strict=True):
                bounds = _bind(scope_of_own_key(endpoint.name, key), limits)
                callers[digest] = Caller(reach, key=key, bounds=bounds)
        self._digests = digests
        return callers

    def _digest(self, endpoint: Endpoint) -> tuple[bytes, bytes]:
        pair = get_keys(endpoint, self._keyring)
        return self._keyring.digest(pair.primary), self._keyring.digest(pair.secondary)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a `ServedEndpoint` is made of."""

    deployments: tuple[Served, ...]
    traffic: Weights
    auth_mode: AuthMode


class _Rights:
    """Who may call the endpoints of which project."""

    def __init__(self, known: Known) -> None:
        self._users = {user.id: user for user in known.users if not user.disabled}
        self._callers = {
            (member.project, member.user)
            for member in known.members
            if Right.CALL in RIGHTS[member.role]
        }

    def may_call(self, project: ProjectName, user: UserId) -> bool:
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
