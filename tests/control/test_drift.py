"""The law of the platform document: what was applied is there, and applying again does nothing."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupola.control.document import Platform
from cupola.control.drift import KINDS, Action, Plan, find_drift, list_entries
from cupola.kit.errors import Conflict

NAMES = st.sampled_from(["aaa", "bbb", "ccc"])
COUNTS = st.integers(1, 3)
AMOUNTS = st.sampled_from(["1", "1.00", 2.5, 3])
TEXTS = st.sampled_from(["", "x", "y"])
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "tokens_per_minute": st.none() | COUNTS,
        "requests_per_minute": st.none() | COUNTS,
        "concurrent_requests": st.none() | COUNTS,
        "money_per_month": st.none() | AMOUNTS,
    },
)
BUDGETS = st.fixed_dictionaries(
    {"tokens": COUNTS}, optional={"refuse": st.booleans(), "period": st.just("day")}
) | st.fixed_dictionaries(
    {"amount": AMOUNTS, "currency": st.just("EUR"), "scope": st.just("endpoint"), "subject": NAMES},
    optional={"warn": st.just([50])},
)
MODEL_PRICES = st.fixed_dictionaries(
    {"currency": st.sampled_from(["EUR", "USD"]), "input": AMOUNTS, "output": AMOUNTS}
)
INSTANCE_PRICES = st.fixed_dictionaries({"currency": st.just("EUR"), "hour": AMOUNTS})
PRICES = st.fixed_dictionaries(
    {},
    optional={
        "models": st.none() | st.dictionaries(NAMES, MODEL_PRICES, max_size=2),
        "instance_types": st.dictionaries(NAMES, INSTANCE_PRICES, max_size=2),
    },
)
SERVERLESS = st.fixed_dictionaries(
    {"model": NAMES}, optional={"min_replicas": COUNTS, "max_replicas": COUNTS, "slots": COUNTS}
)
MANAGED = st.fixed_dictionaries(
    {"model": NAMES, "instance_type": NAMES}, optional={"instances": COUNTS}
)
ABOUT = {
    "description": TEXTS,
    "tags": st.dictionaries(NAMES, TEXTS, max_size=2),
    "limits": st.none() | LIMITS,
    "key_limits": st.none() | st.dictionaries(st.sampled_from(["primary", "secondary"]), LIMITS),
    "content_safety": st.booleans(),
    "traffic": st.none() | st.dictionaries(NAMES, st.integers(0, 100), max_size=2),
}
ENDPOINTS = st.fixed_dictionaries(
    {
        "kind": st.just("managed"),
        "deployments": st.dictionaries(NAMES, MANAGED, min_size=1, max_size=2),
    },
    optional=ABOUT,
)
PROJECTS = st.fixed_dictionaries(
    {},
    optional={
        "display_name": TEXTS,
        "core_quota": st.none() | COUNTS,
        "limits": st.none() | LIMITS,
        "budgets": st.none() | st.dictionaries(NAMES, BUDGETS, max_size=2),
        "members": st.none() | st.dictionaries(NAMES, st.sampled_from(["reader", "owner"])),
        "subscriptions": st.none() | st.lists(NAMES, unique=True),
        "endpoints": st.none() | st.dictionaries(NAMES, ENDPOINTS, max_size=2),
    },
)
PLATFORMS = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "instance_types": st.dictionaries(
            NAMES,
            st.fixed_dictionaries({"cores": COUNTS, "memory": st.sampled_from([2**20, 2**30])}),
            max_size=2,
        ),
        "prices": st.none() | PRICES,
        "users": st.dictionaries(
            NAMES, st.fixed_dictionaries({}, optional={"administrator": st.booleans()})
        ),
        "projects": st.dictionaries(NAMES, PROJECTS, max_size=3),
    },
).map(Platform.model_validate)


def enact(current: Platform, plan: Plan) -> Platform:
    """The platform after the changes, as the services would leave it."""
    entries = list_entries(current)
    for change in plan.changes:
        key = (change.kind, change.name)
        if change.action is Action.DELETE:
            del entries[key]
            if change.kind == "project":  # what is in it goes with it
                entries = {
                    k: e for k, e in entries.items() if not k[1].startswith(f"{change.name}/")
                }
        else:
            entries[key] = change.after
    return build(entries)


def build(entries: Any) -> Platform:
    """A whole platform, with every section, of entries."""
    tree: dict[str, Any] = {"version": 1, "instance_types": {}, "users": {}, "projects": {}}
    tree["prices"] = {"models": {}, "instance_types": {}}
    for (kind, name), each in sorted(entries.items(), key=lambda item: KINDS.index(item[0][0])):
        project, _, own = name.partition("/")
        if kind in ("instance_type", "user"):
            tree[f"{kind}s"][name] = each
            continue
        if kind == "price":
            tree["prices"][project][own] = each
            continue
        place = tree["projects"].setdefault(
            project, {"members": {}, "subscriptions": [], "endpoints": {}, "budgets": {}}
        )
        match kind:
            case "project":
                place.update(each)
            case "member":
                place["members"][own] = each["role"]
            case "subscription":
                place["subscriptions"].append(own)
            case "endpoint":
                place["endpoints"][own] = each
            case "budget":
                place["budgets"][own] = each
    return Platform.model_validate(tree)


EMPTY = build({})


@given(PLATFORMS, PLATFORMS, st.booleans())
@settings(max_examples=300)
def test_applied_twice_changes_nothing(first: Platform, second: Platform, prune: bool):
    """From any platform to any other, the second time finds all as it is to be."""
    start = enact(EMPTY, find_drift(EMPTY, first))
    there = enact(start, find_drift(start, second, prune=prune))
    again = find_drift(there, second, prune=prune)

    assert {Action.UNCHANGED} >= {change.action for change in again.changes}


@given(PLATFORMS, PLATFORMS)
@settings(max_examples=200)
def test_nothing_is_deleted_unasked(first: Platform, second: Platform):
    """Without `prune` everything that was there is there."""
    start = enact(EMPTY, find_drift(EMPTY, first))
    there = enact(start, find_drift(start, second))

    assert list_entries(start).keys() <= list_entries(there).keys()


@given(PLATFORMS)
@settings(max_examples=200)
def test_what_is_exported_can_be_applied(platform: Platform):
    """A wiped platform becomes the same again, and the same needs no change, also with `prune`."""
    whole = enact(EMPTY, find_drift(EMPTY, platform))
    back = enact(EMPTY, find_drift(EMPTY, whole))
    changes = find_drift(back, whole, prune=True).changes

    assert list_entries(whole) == list_entries(back)
    assert {Action.UNCHANGED} >= {change.action for change in changes}


def read(**sections: Any) -> Platform:
    return Platform.model_validate({"version": 1, **sections})


def test_kind_cannot_change():
    """What can only be made anew is refused with the mend."""
    one = {"kind": "serverless", "deployments": {"one": {"model": "m"}}}
    two = {"kind": "managed", "deployments": {"one": {"model": "m", "instance_type": "aaa"}}}
    with pytest.raises(Conflict, match="serverless and cannot become managed"):
        find_drift(
            read(projects={"aaa": {"endpoints": {"one": one}}}),
            read(projects={"aaa": {"endpoints": {"one": two}}}),
        )


def test_revoked_keys_do_not_come_back():
    """An old export leaves the keys of an endpoint that is there, and says so."""
    one = {"kind": "serverless", "deployments": {"one": {"model": "m"}}}
    now = read(
        projects={"aaa": {"endpoints": {"one": one | {"keys": {"seed": "s", "primary": 2}}}}}
    )
    old = read(
        projects={"aaa": {"endpoints": {"one": one | {"keys": {"seed": "s", "primary": 1}}}}}
    )
    plan = find_drift(now, old)

    assert [Action.UNCHANGED, Action.UNCHANGED] == [change.action for change in plan.changes]
    assert "They stay as they are" in plan.notes[0]


def test_what_rests_on_a_project_key_waits_for_it():
    """A key cannot be made from a document: it is told of with what it would have, and once it is
    there again the same document gives it that."""
    keys = {"ci": {"limits": {"tokens_per_day": 5}}}
    budgets = {"ci-tokens": {"scope": "key", "subject": "ci", "tokens": 9}}
    wanted = read(projects={"aaa": {"keys": keys, "budgets": budgets}})
    plan = find_drift(read(projects={"aaa": {}}), wanted)
    assert ["project"] == [change.kind for change in plan.changes]
    told, waiting = plan.notes
    assert "The project key aaa/ci cannot be made again" in told
    assert "The budget aaa/ci-tokens is of the project key aaa/ci" in waiting
    plan = find_drift(read(projects={"aaa": {"keys": {"ci": {}}}}), wanted)

    assert [("update", "project_key"), ("create", "budget")] == [
        (change.action, change.kind) for change in plan.changes[1:]
    ]
    assert () == plan.notes


def test_a_price_is_set_anew_and_never_taken_away():
    """Also with `prune`; amounts that are written in another way are the same."""
    euro = {"currency": "EUR", "input": "1.50", "output": "2"}
    now = read(prices={"models": {"one": euro, "two": euro}})
    said = {"one": {**euro, "input": 1.5, "output": "2.00"}}
    assert [Action.UNCHANGED] == [
        each.action for each in find_drift(now, read(prices={"models": said}), prune=True).changes
    ]
    [change] = find_drift(now, read(prices={"models": {"two": {**euro, "input": "2"}}})).changes

    assert [(("input",), "1.50", "2.00")] == [(d.path, d.before, d.after) for d in change.diff]


def test_pruned_in_reverse():
    """A project's endpoints go before it, and what is not spoken of stays."""
    one = {"kind": "serverless", "deployments": {"one": {"model": "m"}}}
    current = read(
        users={"ada": {}},
        projects={"aaa": {"members": {"ada": "owner"}, "endpoints": {"one": one}}},
    )
    plan = find_drift(current, read(projects={}), prune=True)

    assert [("endpoint", "aaa/one"), ("project", "aaa")] == [(c.kind, c.name) for c in plan.changes]
