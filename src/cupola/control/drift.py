"""What differs between the platform as it is and as a document wants it: values in, values out.

The things of a platform are entries, keyed by kind and name, in the order in which they can be
made; they are deleted in the reverse order:

    instance_type   small           price  models/Cupola-Pilot
    user            ada             project       shop
    member          shop/ada        subscription  shop/Cupola-Pilot
    endpoint        shop/chat       project_key   shop/ci (its limits; else only told of)
    budget          shop/bud_0a1b2c

Only what a document says is compared. `prune` also deletes, in the sections it has, what it does
not have; users it disables. Law: after the changes are made, the same document finds everything
unchanged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from cupola.control.document import BudgetEntry, Platform, ProjectEntry, UserEntry
from cupola.kit.errors import Conflict


class Action(StrEnum):
    """What is to be done with an entry."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"


KINDS: Final = (
    *("instance_type", "price", "user", "project", "member", "subscription", "endpoint"),
    *("project_key", "budget"),
)
"""In the order in which they can be made."""

Key: TypeAlias = tuple[str, str]
"""A kind, and a name: `PROJECT/NAME` within projects."""
Fields: TypeAlias = Mapping[str, Any]
Entries: TypeAlias = Mapping[Key, Fields]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in an entry."""

    path: tuple[str, ...]
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one entry."""

    action: Action
    kind: str
    name: str
    diff: tuple[Difference, ...] = ()
    before: Fields = field(default_factory=dict)
    after: Fields = field(default_factory=dict)
    """The whole entry as it is to be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything there is to do, in order."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    """What a document cannot bring about, and what to do instead."""


def list_entries(platform: Platform) -> dict[Key, Fields]:
    """What a document says, and no defaults."""
    said: dict[str, Any] = platform.model_dump(mode="json", exclude_unset=True)
    entries: dict[Key, Fields] = {}
    for section, kind in (("instance_types", "instance_type"), ("users", "user")):
        for name, each in (said.get(section) or {}).items():
            entries[kind, name] = each
    for section, prices in (said.get("prices") or {}).items():
        entries |= {("price", f"{section}/{name}"): each for name, each in (prices or {}).items()}
    for name, project in (said.get("projects") or {}).items():
        entries |= _list_project(name, project)
    return dict(sorted(entries.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])))


def _list_project(name: str, said: Mapping[str, Any]) -> dict[Key, Fields]:
    own = {key: said[key] for key in ("display_name", "core_quota", "limits") if key in said}
    entries: dict[Key, Fields] = {("project", name): own}
    for user, role in (said.get("members") or {}).items():
        entries["member", f"{name}/{user}"] = {"role": role}
    for model in said.get("subscriptions") or ():
        entries["subscription", f"{name}/{model}"] = {}
    for endpoint, each in (said.get("endpoints") or {}).items():
        entries["endpoint", f"{name}/{endpoint}"] = _without_zeros(each)
    for key, each in (said.get("keys") or {}).items():
        entries["project_key", f"{name}/{key}"] = each
    for budget, each in (said.get("budgets") or {}).items():
        entries["budget", f"{name}/{budget}"] = each
    return entries


def _without_zeros(endpoint: Fields) -> Fields:
    """No share of the traffic, and a share of 0, are the same."""
    if endpoint.get("traffic") is None:
        return endpoint
    shares = {name: share for name, share in endpoint["traffic"].items() if share}
    return {**endpoint, "traffic": shares}


def find_drift(current: Platform, wanted: Platform, *, prune: bool = False) -> Plan:
    """How to get from one to the other.

    Raises:
        Conflict: Something would have to change that cannot.
    """
    here, there = list_entries(current), list_entries(wanted)
    changes = [
        _compare(key, here.get(key), said, prune=prune)
        for key, said in there.items()
        if _is_possible(key, said, here)
    ]
    if prune:
        covered = frozenset(_list_sections(wanted))
        gone = [key for key in here if key not in there and _is_covered(key, covered, there)]
        changes += [each for key in reversed(gone) if (each := _remove(key, here[key])) is not None]
    return Plan(tuple(changes), tuple(_note(here, there)))


def _is_possible(key: Key, said: Fields, here: Entries) -> bool:
    """Project keys are not made, and what rests on one that is not there is not either."""
    kind, name = key
    if kind == "project_key":
        return key in here and said.get("limits") is not None
    return kind != "budget" or _find_missing_key(name, said, here) is None


def _find_missing_key(budget: str, said: Fields, here: Entries) -> str | None:
    """The project key that a budget is of, if there is none."""
    if said.get("scope") != "key":
        return None
    key = f"{budget.partition('/')[0]}/{said['subject']}"
    return None if ("project_key", key) in here else key


def _compare(key: Key, before: Fields | None, said: Fields, *, prune: bool) -> Change:
    kind, name = key
    if kind == "project_key":
        said = {"limits": said["limits"]}
    if before is None:
        after = _complete(kind, said)
        diff = tuple(Difference(path, None, value) for path, value in _list_leaves(after))
        return Change(Action.CREATE, kind, name, diff, {}, after)
    _refuse_impossible(key, before, said)
    after = _merge(kind, before, said, prune=prune)
    diff = tuple(_list_differences(before, after))
    return Change(Action.UPDATE if diff else Action.UNCHANGED, kind, name, diff, before, after)


def _remove(key: Key, before: Fields) -> Change | None:
    """Users are never forgotten, because the audit log names them: they are disabled."""
    kind, name = key
    if kind in ("project_key", "price"):
        return None
    if kind != "user":
        return Change(Action.DELETE, kind, name, before=before)
    if before.get("disabled"):
        return None
    diff = (Difference(("disabled",), False, True),)
    return Change(Action.UPDATE, kind, name, diff, before, {**before, "disabled": True})


def _complete(kind: str, said: Fields) -> Fields:
    """An entry to be made, with the defaults that others are compared with."""
    if kind == "user":
        return UserEntry.model_validate(said).model_dump(mode="json")
    if kind == "project":
        return {
            **ProjectEntry.model_validate(said).model_dump(
                mode="json", include={"display_name", "core_quota"}
            ),
            **({"limits": said["limits"]} if said.get("limits") else {}),
        }
    if kind == "budget":
        return BudgetEntry.model_validate(said).model_dump(mode="json")
    return said


def _refuse_impossible(key: Key, before: Fields, said: Fields) -> None:
    for fixed in {"endpoint": ("kind",), "user": ("origin", "issuer", "subject")}.get(key[0], ()):
        if fixed in said and said[fixed] != before.get(fixed):
            raise Conflict(
                f"The {fixed} of {key[0]} {key[1]} is {before.get(fixed)} and cannot become "
                f"{said[fixed]}. Delete it first, or give the new one another name."
            )


def _merge(kind: str, before: Fields, said: Fields, *, prune: bool) -> Fields:
    """What is said goes before what is; keys are not moved (`_note` tells of it)."""
    after = {**before, **said}
    if kind == "budget":
        money = said.get("tokens") is None
        return {**after, **({"tokens": None} if money else {"amount": None, "currency": None})}
    if kind in ("project", "endpoint", "project_key"):
        after |= _merge_limits(before, said)
    if kind != "endpoint":
        return after
    if "keys" in before:
        after["keys"] = before["keys"]
    deployments = {} if prune else dict(before["deployments"])
    for name, each in said["deployments"].items():
        deployments[name] = {**before["deployments"].get(name, {}), **each}
    after["deployments"] = dict(sorted(deployments.items()))
    for optional in ("traffic", "content_safety"):
        if after.get(optional) is None and optional in before:
            after[optional] = before[optional]
    return after


def _merge_limits(before: Fields, said: Fields) -> Fields:
    """Limit by limit: what is not said of one is left as it is."""
    merged: dict[str, Any] = {}
    if "limits" in before or said.get("limits") is not None:
        merged["limits"] = {**(before.get("limits") or {}), **(said.get("limits") or {})}
    was, wanted = before.get("key_limits") or {}, said.get("key_limits") or {}
    if "key_limits" in before or wanted:
        merged["key_limits"] = {
            key: {**(was.get(key) or {}), **(wanted.get(key) or {})} for key in {**was, **wanted}
        }
    return merged


def _list_differences(before: Fields, after: Fields) -> Iterator[Difference]:
    was, will = dict(_list_leaves(before)), dict(_list_leaves(after))
    for path in [*was, *(path for path in will if path not in was)]:
        if was.get(path) != will.get(path):
            yield Difference(path, was.get(path), will.get(path))


def _list_leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _list_leaves(each, (*path, name))
    elif path and value != {}:
        yield path, value


def _list_sections(wanted: Platform) -> Iterator[str]:
    """What the document speaks of: kinds, and kinds within a project."""
    for section, kind in (
        (wanted.instance_types, "instance_type"),
        (wanted.users, "user"),
        (wanted.projects, "project"),
    ):
        if section is not None:
            yield kind
    for name, project in (wanted.projects or {}).items():
        for part, kind in (
            (project.members, "member"),
            (project.subscriptions, "subscription"),
            (project.endpoints, "endpoint"),
            (project.budgets, "budget"),
        ):
            if part is not None:
                yield f"{kind} {name}"


def _is_covered(key: Key, covered: frozenset[str], there: Entries) -> bool:
    """Whether an entry that the document lacks is the document's business."""
    kind, name = key
    project, slash, _ = name.partition("/")
    if not slash or kind in ("instance_type", "user", "project"):
        return kind in covered
    if f"{kind} {project}" in covered:
        return True
    # A project goes with all that is in it: its endpoints by name, the rest with the project.
    return kind == "endpoint" and "project" in covered and ("project", project) not in there


def _note(here: Entries, there: Entries) -> Iterator[str]:
    for (kind, name), said in there.items():
        known = here.get((kind, name))
        if kind == "project_key" and known is None:
            yield (
                f"The project key {name} cannot be made again, because its secret is nowhere. "
                "Make a new one and give it to its callers."
            )
        if kind == "budget" and (key := _find_missing_key(name, said, here)) is not None:
            yield (
                f"The budget {name} is of the project key {key}, which is not there. Make the key, "
                "then apply the document again."
            )
        if kind == "user" and known is None and said.get("origin", "local") == "local":
            yield f"The user {name} has no password yet. An administrator sets one."
        if (
            kind == "endpoint"
            and known
            and said.get("keys", known.get("keys")) != known.get("keys")
        ):
            yield (
                f"The keys of the endpoint {name} are not those of the document. They stay as they "
                "are, so that a revoked key does not come back."
            )
