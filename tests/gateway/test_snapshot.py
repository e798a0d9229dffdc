"""From what is wanted to what the hot path knows."""

import random
from dataclasses import replace
from typing import Any

from cupola.deployments.model import AuthMode, Deployment, Endpoint, EndpointKind, Scale, Spec
from cupola.deployments.schemas import get_keys
from cupola.gateway.directory import Directory, Served, Snapshot
from cupola.gateway.publish import Publisher
from cupola.gateway.snapshot import KeyGrant, Known, SnapshotBuilder
from cupola.identity.model import Origin, User
from cupola.ids import DeploymentName, EndpointName, ModelName, ProjectName, UserId
from cupola.keys.model import KeyPair, Lineage
from cupola.keys.service import Keyring
from cupola.projects.model import Member, Role
from cupola.quotas.model import Limits, Scope
from cupola.testing import MemorySecret
from cupola.tokens.model import By, Grantee, TokenGrant
from tests.gateway.fakes import PROFILE, FixedPool

KEYRING = Keyring(MemorySecret(bytes(range(32))))
ISSUER = "https://issuer.example"


def endpoint(name: str, project: str = "alpha", **others: Any) -> Endpoint:
    """With one deployment of its own name."""
    only = Deployment(DeploymentName(name), Spec(ModelName("M")), Scale(), 0)
    return Endpoint(
        name=EndpointName(name),
        kind=EndpointKind.MANAGED,
        project=ProjectName(project),
        created=0,
        deployments=others.pop("deployments", (only,)),
        traffic=others.pop("traffic", {only.name: 100}),
        key_seed=f"sed_{name}",
        **others,
    )


class Fleet:
    """Knows every deployment, and always by the same object, as the real one does."""

    def __init__(self) -> None:
        self.served: dict[tuple[EndpointName, DeploymentName], Served] = {}
        self.unknown: set[DeploymentName] = set()

    def describe(self, endpoint: Endpoint, deployment: Deployment) -> Served | None:
        if deployment.name in self.unknown:
            return None
        place = (endpoint.name, deployment.name)
        if place not in self.served:
            self.served[place] = Served(
                *place, deployment.spec.model, "P", "chat-completions", 0, PROFILE, 1.0,
                FixedPool([]),
            )  # fmt: skip
        return self.served[place]


def builder() -> SnapshotBuilder:
    return SnapshotBuilder(KEYRING, Fleet().describe)


def user(name: str, **others: Any) -> User:
    return User(UserId(f"usr_{name}"), name, Origin.OIDC, 0, issuer=ISSUER, subject=name, **others)


def member(project: str, name: str, role: Role) -> Member:
    return Member(ProjectName(project), UserId(f"usr_{name}"), role)


def key_of(name: str, project: str = "alpha", **others: Any) -> KeyGrant:
    return KeyGrant(b"k-" + name.encode(), ProjectName(project), UserId(f"usr_{name}"), **others)


def subject(name: str) -> Grantee:
    return Grantee(ISSUER, By.SUBJECT, name)


def callable_by(snapshot: Snapshot, digest: bytes) -> set[str]:
    caller = snapshot.keys.get(digest)
    return set(caller.list_names()) if caller else set()


def callable_with(snapshot: Snapshot, grantee: Grantee) -> set[str]:
    return set().union(*snapshot.token_grants.get(grantee, ()))


def test_both_keys_of_an_endpoint_reach_it_and_nothing_else():
    """Its own derived ones."""
    one, two = endpoint("one"), endpoint("two")
    snapshot = builder().build(Known([one, two]))

    pair = get_keys(one, KEYRING)
    assert 4 == len(snapshot.keys)
    for key in (pair.primary, pair.secondary):
        assert {"one"} == callable_by(snapshot, KEYRING.digest(key))


def test_a_regenerated_key_replaces_its_predecessor_only():
    """The other slot goes on to work; a builder that saw the old one forgets it."""
    build, before = builder().build, endpoint("one")
    old = build(Known([before]))
    new = build(Known([replace(before, primary_generation=2)]))

    pair = get_keys(before, KEYRING)
    assert KEYRING.digest(pair.primary) in old.keys
    assert KEYRING.digest(pair.primary) not in new.keys
    assert {"one"} == callable_by(new, KEYRING.digest(pair.secondary))
    assert 2 == len(new.keys)


def test_what_has_not_changed_is_kept():
    """An endpoint is in the midst of its deck; one that changed is made anew."""
    build, one, two = builder().build, endpoint("one"), endpoint("two")
    before = build(Known([one, two]))
    after = build(Known([replace(one, version=2), replace(two, traffic={})]))

    assert before.endpoints[one.name] is after.endpoints[one.name]
    assert before.endpoints[two.name] is not after.endpoints[two.name]


def test_a_deployment_that_cannot_be_served_yet_is_left_out():
    """It gets no request; the endpoint's others do."""
    blue, green = (
        Deployment(DeploymentName(name), Spec(ModelName("M")), Scale(), 0)
        for name in ("blue", "green")
    )
    fleet = Fleet()
    fleet.unknown.add(green.name)
    both = endpoint("one", deployments=(blue, green), traffic={blue.name: 90, green.name: 10})
    build = SnapshotBuilder(KEYRING, fleet.describe).build
    alone = build(Known([both])).endpoints[both.name]
    fleet.unknown.clear()

    assert {blue.name} == {alone.choose().deployment for _ in range(20)}
    served = build(Known([both])).endpoints[both.name]
    assert {blue.name, green.name} == {served.choose().deployment for _ in range(20)}


USERS = [user("ada"), user("bob"), user("cyd"), user("dan", disabled=True),
         user("eve", administrator=True)]  # fmt: skip
MEMBERS = [
    member("alpha", "ada", Role.OWNER),
    member("alpha", "bob", Role.INFERENCE_USER),
    member("beta", "bob", Role.READER),
    member("alpha", "cyd", Role.READER),
    member("alpha", "dan", Role.OWNER),
]


def test_a_projects_key_can_do_what_its_maker_may():
    """A reader's, a stranger's and a disabled owner's are dead; an administrator's is not."""
    known = Known(
        [endpoint("one"), endpoint("two"), endpoint("three", "beta")],
        USERS,
        MEMBERS,
        [key_of(name) for name in ("ada", "bob", "cyd", "dan", "eve", "fay")],
    )
    snapshot = builder().build(known)

    reached = {name: callable_by(snapshot, b"k-" + name.encode()) for name in ("ada", "bob", "eve")}
    assert {"ada": {"one", "two"}, "bob": {"one", "two"}, "eve": {"one", "two"}} == reached
    for name in ("cyd", "dan", "fay"):
        assert b"k-" + name.encode() not in snapshot.keys


def test_the_consoles_key_needs_no_user():
    """It reaches its project, and no other."""
    grant = KeyGrant(b"k-console", ProjectName("alpha"), made_by=None)
    snapshot = builder().build(Known([endpoint("one"), endpoint("three", "beta")], keys=[grant]))

    assert {"one"} == callable_by(snapshot, grant.digest)


def test_a_key_for_some_endpoints_reaches_those_of_its_project():
    """Also if one of that name is another project's by now."""
    some = frozenset(map(EndpointName, ("one", "three", "gone")))
    grant = key_of("ada", endpoints=some, expires=7)
    known = Known([endpoint("one"), endpoint("two"), endpoint("three", "beta")], USERS, MEMBERS,
                  [grant])  # fmt: skip
    snapshot = builder().build(known)

    assert {"one"} == callable_by(snapshot, grant.digest)
    assert 7 == snapshot.keys[grant.digest].expires


def test_tokens_reach_what_their_owners_and_grants_may():
    """Token endpoints only; a role or group by the settings."""
    role, group = (Grantee(ISSUER, By.ROLE, "Call"), Grantee(ISSUER, By.GROUP, "g"))
    grants = [
        TokenGrant(role, projects=frozenset(["beta", "none"])),
        TokenGrant(group, endpoints=frozenset(["one", "keyed", "none"])),
    ]
    token = {"auth_mode": AuthMode.TOKEN}
    known = Known(
        [endpoint("one", **token), endpoint("keyed"), endpoint("three", "beta", **token)],
        [*USERS, replace(user("loc"), origin=Origin.LOCAL, issuer=None, subject=None)],
        [*MEMBERS, member("alpha", "loc", Role.OWNER)],
        tokens=grants,
    )
    snapshot = builder().build(known)

    assert {"one"} == callable_with(snapshot, subject("ada")) == callable_with(snapshot, group)
    assert {"one"} == callable_with(snapshot, subject("bob"))
    assert {"three"} == callable_with(snapshot, role)
    assert {"one", "three"} == callable_with(snapshot, subject("eve"))
    for name in ("cyd", "dan", "loc"):
        assert set() == callable_with(snapshot, subject(name))


def a_thousand() -> Known:
    """Endpoints in a hundred projects, each with ten members and two keys."""
    endpoints = [endpoint(f"e{i}", f"p{i % 100}", version=i + 1) for i in range(1000)]
    users = [user(f"u{i}") for i in range(200)]
    members = [
        member(f"p{p}", f"u{(p + 7 * i) % 200}", Role.DEVELOPER)
        for p in range(100)
        for i in range(10)
    ]
    keys = [
        KeyGrant(b"%d" % i, ProjectName(f"p{i % 100}"), UserId(f"usr_u{i % 100}"))
        for i in range(200)
    ]
    return Known(endpoints, users, members, keys)


class CountingKeyring(Keyring):
    """Tells how often it derived a pair, which is what costs time."""

    derived = 0

    def get_pair(self, lineage: Lineage, primary: int, secondary: int) -> KeyPair:
        self.derived += 1
        return super().get_pair(lineage, primary, secondary)


async def test_of_a_thousand_endpoints_only_the_changed_one_costs_anything():
    """If one has got a new key, its pair alone is derived; all others are what they were. How
    long it takes is measured by `bench.scale`."""
    known = a_thousand()
    directory, keyring = Directory(), CountingKeyring(MemorySecret())

    async def read() -> Known:
        return known

    publisher = Publisher(directory, SnapshotBuilder(keyring, Fleet().describe), read)
    await publisher.publish()
    first = directory.snapshot
    changed = [replace(known.endpoints[0], primary_generation=2), *known.endpoints[1:]]
    known = replace(known, endpoints=changed)
    await publisher.publish()
    second = directory.snapshot

    assert (1000, 1000 + 1) == (len(second.endpoints), keyring.derived)
    assert (2200, 1) == (len(second.keys), len(second.keys.keys() - first.keys.keys()))
    assert all(served is first.endpoints[name] for name, served in second.endpoints.items())


def test_limits_are_bound_to_whom_they_are_for():
    """The endpoint's own, changed by what was set for it, then its project's; keys have theirs."""
    one = endpoint("one")
    scopes = {
        Scope("endpoint", "one"): Limits(tokens_per_minute=5, concurrent_requests=2),
        Scope("project", one.project): Limits(tokens_per_day=9),
        Scope("key", "one/secondary"): Limits(requests_per_minute=3),
        Scope("key", "subject-1"): Limits(requests_per_minute=4),
    }
    snapshot = builder().build(Known([one], limits=scopes))

    own, project = snapshot.endpoints[one.name].terms.bounds
    requests = one.limits.requests_per_minute
    assert Limits(requests, 5, 2) == own.limits
    assert (Scope("project", one.project), Limits(tokens_per_day=9)) == (
        project.scope,
        project.limits,
    )
    pair = get_keys(one, KEYRING)
    callers = [snapshot.keys[KEYRING.digest(key)] for key in (pair.primary, pair.secondary)]
    assert ["primary", "secondary"] == [caller.key for caller in callers]
    assert [0, 1] == [len(caller.bounds) for caller in callers]
    assert Scope("key", "subject-1") == snapshot.subject_bounds["subject-1"][0].scope


def test_a_changed_limit_leaves_the_endpoint_in_its_deck():
    """Requests meet the new limit; the traffic split goes on where it was."""
    build, one = builder().build, endpoint("one")
    before = build(Known([one])).endpoints[one.name]
    scope = Scope("endpoint", "one")
    after = build(Known([one], limits={scope: Limits(requests_per_minute=1)})).endpoints[one.name]

    assert before is after
    assert 1 == after.terms.bounds[0].limits.requests_per_minute


def test_a_builder_with_a_past_builds_what_a_new_one_would():
    """Whatever changed meanwhile: endpoints, what serves them, limits, people, keys."""
    chance = random.Random(7)
    fleet = Fleet()
    old = SnapshotBuilder(KEYRING, fleet.describe)
    endpoints = {f"e{i}": endpoint(f"e{i}", chance.choice(("alpha", "beta"))) for i in range(12)}
    scopes = [Scope("key", f"{name}/primary") for name in endpoints]
    scopes += [Scope("endpoint", name) for name in endpoints] + [Scope("project", "alpha")]
    limits: dict[Scope, Limits] = {}
    for _ in range(200):
        name = chance.choice([*endpoints])
        changed = endpoints[name]
        match chance.randrange(6):
            case 0:
                changed = replace(changed, primary_generation=changed.primary_generation + 1)
            case 1:
                changed = replace(
                    changed, traffic={} if changed.traffic else {DeploymentName(name): 100}
                )
            case 2:
                changed = replace(changed, auth_mode=chance.choice([*AuthMode]))
            case 3:
                changed = endpoint(name, chance.choice(("alpha", "beta")))
            case 4:
                limits = {**limits, chance.choice(scopes): Limits(chance.randrange(1, 9))}
            case 5:
                limits = {scope: one for scope, one in limits.items() if chance.random() < 0.7}
                fleet.unknown ^= {DeploymentName(name)}
        endpoints[name] = changed
        known = Known([*endpoints.values()], USERS, MEMBERS, [key_of("ada")], limits)

        expected = SnapshotBuilder(KEYRING, fleet.describe).build(known)
        assert _lay_open(expected) == _lay_open(old.build(known))


def _lay_open(snapshot: Snapshot) -> tuple[object, ...]:
    served = {
        name: (each.terms, each.auth_mode, each.deployments, each.weights)
        for name, each in snapshot.endpoints.items()
    }
    return served, snapshot.keys, snapshot.token_grants, snapshot.subject_bounds
