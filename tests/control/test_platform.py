"""Limits, prices and budgets as a platform document has them, over each kind of database."""

from typing import Any

import pytest
import yaml

from cupola.db.database import Database
from cupola.metering.model import PriceKind
from cupola.quotas.model import Limits, Scope
from tests.control.world import MODEL, World, fill, make_world

P, E = "/projects/ours", "/projects/ours/endpoints/ours-one"
WEBHOOK = "https://hooks.example/secret"


async def apply(world: World, document: Any, query: str = "") -> Any:
    """What became of each entry, as `(action, kind, name)`, and the notes."""
    reply = await world.ask("admin", "POST", f"/apply{query}", document)
    assert 200 == reply.status_code, reply.text
    changes = [(each["action"], each["kind"], each["name"]) for each in reply.json()["changes"]]
    return [each for each in changes if each[0] != "unchanged"], reply.json()["notes"]


async def export(world: World) -> Any:
    reply = await world.ask("admin", "GET", "/export")
    assert WEBHOOK not in reply.text
    return yaml.safe_load(reply.text)


async def furnish(world: World) -> str:
    """Everything that can be limited is, everything has a price; the id of a project key."""
    for project in ("ours", "theirs"):  # or its endpoints could not be made again
        path = f"/projects/{project}/subscriptions/{MODEL}"
        await world.ask("admin", "PUT", path, {"accept_terms": True})
    key = (await world.ask("owner", "POST", f"{P}/keys", {"name": "ci"})).json()["id"]
    limits = {
        f"{P}/limits": {"money_per_month": "12.5", "concurrent_requests": 9},
        f"{E}/limits": {"requests_per_minute": 7, "tokens_per_day": 70},
        f"{E}/keys/secondary/limits": {"tokens_per_month": 700},
        f"{P}/keys/{key}/limits": {"concurrent_requests": 3},
    }
    budgets = [
        {"tokens": 5, "webhook": WEBHOOK},
        {"amount": "3", "currency": "EUR", "scope": "endpoint", "subject": "ours-one"},
        {"tokens": 8, "scope": "key", "subject": key, "period": "day", "refuse": True},
    ]
    prices = {
        f"/prices/models/{MODEL}": {"input": "0.0005", "output": "0.0015", "currency": "EUR"},
        "/prices/instance-types/small": {"hour": "0.1", "currency": "EUR"},
    }
    for path, body in {**limits, **prices}.items():
        assert 200 == (await world.ask("admin", "PUT", path, body)).status_code
    # Names that are also words of the document.
    await world.ask("owner", "POST", f"{P}/keys", {"name": "key_limits"})
    assert 200 == (await world.ask("owner", "PATCH", E, {"tags": {"limits": "x"}})).status_code
    for budget in budgets:
        assert 201 == (await world.ask("owner", "POST", f"{P}/budgets", budget)).status_code
    return str(key)


async def test_all_of_it_comes_back(database: Database):
    """Exported, and applied where nothing is: the same limits, prices and budgets are there, under
    the budgets' ids, and the export of that is the same but for what a project key had, which
    comes once there is such a key again."""
    there = await fill(make_world(database), database)
    await furnish(there)
    document = await export(there)
    assert ([], []) == await apply(there, document, "?prune=true")
    for project in document["projects"]:
        for endpoint in document["projects"][project]["endpoints"]:
            path = f"/projects/{project}/endpoints/{endpoint}"
            assert 202 == (await there.ask("admin", "DELETE", path)).status_code
        assert 204 == (await there.ask("admin", "DELETE", f"/projects/{project}")).status_code
    assert [] == [*await there.services.limits.list()]
    changes, notes = await apply(there, document)

    assert 2 == sum(kind == "budget" for _, kind, _ in changes)
    assert any("project key ours/ci, which is not there" in note for note in notes)
    kept = {bound.scope: bound.limits for bound in await there.services.limits.list()}
    assert {
        Scope("project", "ours"): Limits(concurrent_requests=9, money_per_month=12_500_000_000),
        Scope("endpoint", "ours-one"): Limits(tokens_per_day=70),
        Scope("key", "ours-one/secondary"): Limits(tokens_per_month=700),
    } == kept
    await there.ask("owner", "POST", f"{P}/keys", {"name": "key_limits"})
    key = (await there.ask("owner", "POST", f"{P}/keys", {"name": "ci"})).json()["id"]
    changes, notes = await apply(there, document)
    assert [("update", "project_key"), ("create", "budget")] == [each[:2] for each in changes]
    assert Limits(concurrent_requests=3) == await there.services.limits.find(Scope("key", key))
    assert document == await export(there)
    assert ([], []) == await apply(there, document, "?prune=true")


async def test_drift_is_shown_and_mended(database: Database):
    """Each in its own words; a dry run takes all of it back, prices that the gateway reckons with
    included."""
    world = await fill(make_world(database), database)
    await furnish(world)
    document = await export(world)
    euro = {"input": "1", "output": "1", "currency": "EUR"}
    budgets = document["projects"]["ours"]["budgets"]
    [gone] = [id for id, each in budgets.items() if each["scope"] == "key"]
    await world.ask("admin", "PUT", f"/prices/models/{MODEL}", euro)
    await world.ask("owner", "PUT", f"{E}/keys/secondary/limits", {"tokens_per_month": 5})
    await world.ask("owner", "PUT", f"{P}/limits", {"tokens_per_day": 5})
    await world.ask("owner", "DELETE", f"{P}/budgets/{gone}")
    expected = [
        ("update", "price", f"models/{MODEL}"),
        ("update", "project", "ours"),
        ("update", "endpoint", "ours/ours-one"),
        ("create", "budget", f"ours/{gone}"),
    ]
    assert (expected, []) == await apply(world, document, "?dry_run=true")
    assert 3 == len(await world.services.prices.list())
    assert (expected, []) == await apply(world, document)
    assert document == await export(world)
    book = world.services.prices.book()
    price = book.find(PriceKind.MODEL, MODEL, world.clock.now() + 1)
    assert price is not None
    assert 500_000 == price.input


async def test_limits_are_taken_away_one_by_one(database: Database):
    """Null is no limit, and what is not said stays."""
    world = await fill(make_world(database), database)
    await furnish(world)
    limits = {"money_per_month": None, "tokens_per_day": 4}
    document = {"version": 1, "projects": {"ours": {"limits": limits}}}
    assert [("update", "project", "ours")] == (await apply(world, document))[0]

    kept = await world.services.limits.find(Scope("project", "ours"))
    assert Limits(concurrent_requests=9, tokens_per_day=4) == kept


async def test_budgets_are_changed_and_pruned(database: Database):
    """One of money becomes one of tokens; those that the section lacks go if asked for. What was
    not said of a budget stays, so that its webhook outlives its own export."""
    world = await fill(make_world(database), database)
    await furnish(world)
    budgets = (await world.ask("owner", "GET", f"{P}/budgets")).json()["items"]
    ids = {each["scope"]: each["id"] for each in budgets}
    wanted = {
        ids["project"]: {"tokens": 6},
        ids["endpoint"]: {"tokens": 7, "scope": "endpoint", "subject": "ours-one"},
    }
    document = {"version": 1, "projects": {"ours": {"budgets": wanted}}}
    assert ([("update", "budget"), ("update", "budget"), ("delete", "budget")]) == [
        each[:2] for each in (await apply(world, document, "?prune=true"))[0] if each[1] == "budget"
    ]
    found = (await world.ask("owner", "GET", f"{P}/budgets")).json()["items"]

    assert {("project", 6, WEBHOOK), ("endpoint", 7, None)} == {
        (each["scope"], each["tokens"], each["webhook"]) for each in found
    }


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param(
            {"prices": {"models": {"none": {"input": 1, "output": 1, "currency": "EUR"}}}},
            "price models/none",
            id="no such model",
        ),
        pytest.param(
            {"projects": {"ours": {"budgets": {"one": {"tokens": 5, "warn": [9, 8]}}}}},
            "budget ours/one: Warn at rising shares",
            id="falling shares",
        ),
        pytest.param(
            {
                "projects": {
                    "ours": {
                        "budgets": {"one": {"tokens": 5, "scope": "endpoint", "subject": "none"}}
                    }
                }
            },
            "has no endpoint 'none'",
            id="no such endpoint",
        ),
        pytest.param(
            {"projects": {"ours": {"budgets": {"one": {"tokens": 5, "webhook": "https://a\nb"}}}}},
            "budgets.one.webhook",
            id="two lines",
        ),
        pytest.param(
            {"projects": {"ours": {"budgets": {"one": {"amount": "5"}}}}},
            "an amount and its currency, or tokens",
            id="no currency",
        ),
        pytest.param(
            {"projects": {"ours": {"limits": {"money_per_month": 123456789.0123456789}}}},
            "write it in quotes",
            id="more than a float holds",
        ),
        pytest.param(
            {"projects": {"ours": {"limits": {"money_per_month": "9999999999"}}}},
            "money_per_month",
            id="too much",
        ),
    ],
)
async def test_what_is_not_possible_is_refused(document: dict[str, Any], said: str):
    """With what it is about, and nothing is changed."""
    world = await fill(make_world())
    reply = await world.ask("admin", "POST", "/apply", {"version": 1, **document})

    assert 400 <= reply.status_code < 500, reply.text
    assert said in reply.json()["error"]["message"], reply.text


async def test_a_budget_of_another_project_keeps_its_id(database: Database):
    """Ids are the installation's: whoever writes one down that is taken is told so."""
    world = await fill(make_world(database), database)
    one = {"budgets": {"monthly": {"tokens": 5}}}
    await apply(world, {"version": 1, "projects": {"ours": one}})
    document = {"version": 1, "projects": {"theirs": one}}
    reply = await world.ask("admin", "POST", "/apply", document)

    assert 409 == reply.status_code
    assert "of another project. Rename" in reply.json()["error"]["message"]
