"""Every route, every role, every foreign project: who may, and what nobody learns.

`NEEDS` says which right each route asks for; a route without a line here is a failure, and so is a
line without a route. What a right means for a role stands in `projects.model.RIGHTS`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from cupola.control import authority
from cupola.control.app import make_api
from cupola.db.database import Database
from cupola.projects.model import RIGHTS, Right, Role
from tests.control.world import MODEL, OTHER_MODEL, ROOT, World, fill, make_world

SIGNED_IN = "signed in"
P, E = "/projects/{project}", "/projects/{project}/endpoints/{endpoint}"
D = E + "/deployments/{deployment}"
NEEDS: dict[tuple[str, str], Right | str] = {
    ("GET", "/me"): SIGNED_IN,
    ("GET", "/users"): Right.ADMINISTER,
    ("POST", "/users"): Right.ADMINISTER,
    ("GET", "/users/{user}"): Right.ADMINISTER,
    ("PATCH", "/users/{user}"): Right.ADMINISTER,
    ("DELETE", "/users/{user}"): Right.ADMINISTER,
    ("GET", "/projects"): SIGNED_IN,
    ("POST", "/projects"): Right.ADMINISTER,
    ("GET", P): Right.READ,
    ("PATCH", P): Right.GOVERN,
    ("DELETE", P): Right.GOVERN,
    ("GET", P + "/members"): Right.READ,
    ("PUT", P + "/members/{user}"): Right.GOVERN,
    ("DELETE", P + "/members/{user}"): Right.GOVERN,
    ("GET", "/models"): SIGNED_IN,
    ("POST", "/models"): Right.ADMINISTER,
    ("GET", "/models/{model}"): SIGNED_IN,
    ("DELETE", "/models/{model}"): Right.ADMINISTER,
    ("GET", P + "/subscriptions"): Right.READ,
    ("PUT", P + "/subscriptions/{model}"): Right.DEPLOY,
    ("DELETE", P + "/subscriptions/{model}"): Right.DEPLOY,
    ("GET", P + "/endpoints"): Right.READ,
    ("POST", P + "/endpoints"): Right.DEPLOY,
    ("GET", E): Right.READ,
    ("PATCH", E): Right.DEPLOY,
    ("DELETE", E): Right.DEPLOY,
    ("GET", E + "/keys"): Right.CALL,
    ("POST", E + "/keys/regenerate"): Right.DEPLOY,
    ("GET", E + "/logs"): Right.DEPLOY,
    ("GET", E + "/deployments"): Right.READ,
    ("GET", D): Right.READ,
    ("PUT", D): Right.DEPLOY,
    ("PATCH", D): Right.DEPLOY,
    ("DELETE", D): Right.DEPLOY,
    ("GET", P + "/keys"): Right.READ,
    ("POST", P + "/keys"): Right.DEPLOY,
    ("DELETE", P + "/keys/{key}"): Right.DEPLOY,
    ("GET", "/usage"): Right.ADMINISTER,
    ("GET", "/cost"): Right.ADMINISTER,
    ("GET", "/records"): Right.ADMINISTER,
    ("GET", P + "/usage"): Right.READ,
    ("GET", P + "/cost"): Right.READ,
    ("GET", P + "/records"): Right.READ,
    ("GET", P + "/limits"): Right.READ,
    ("PUT", P + "/limits"): Right.GOVERN,
    ("DELETE", P + "/limits"): Right.GOVERN,
    ("GET", E + "/limits"): Right.READ,
    ("PUT", E + "/limits"): Right.GOVERN,
    ("DELETE", E + "/limits"): Right.GOVERN,
    ("GET", E + "/keys/{key}/limits"): Right.READ,
    ("PUT", E + "/keys/{key}/limits"): Right.GOVERN,
    ("DELETE", E + "/keys/{key}/limits"): Right.GOVERN,
    ("GET", P + "/keys/{key}/limits"): Right.READ,
    ("PUT", P + "/keys/{key}/limits"): Right.GOVERN,
    ("DELETE", P + "/keys/{key}/limits"): Right.GOVERN,
    ("GET", "/prices"): SIGNED_IN,
    ("PUT", "/prices/models/{model}"): Right.ADMINISTER,
    ("PUT", "/prices/instance-types/{name}"): Right.ADMINISTER,
    ("GET", P + "/budgets"): Right.READ,
    ("POST", P + "/budgets"): Right.GOVERN,
    ("GET", P + "/budgets/{budget}"): Right.READ,
    ("PUT", P + "/budgets/{budget}"): Right.GOVERN,
    ("DELETE", P + "/budgets/{budget}"): Right.GOVERN,
    ("GET", P + "/notices"): Right.READ,
    ("GET", P + "/audit"): Right.GOVERN,
    ("GET", "/audit"): Right.ADMINISTER,
    ("GET", "/instance-types"): SIGNED_IN,
    ("GET", "/instance-types/{name}"): SIGNED_IN,
    ("PUT", "/instance-types/{name}"): Right.ADMINISTER,
    ("DELETE", "/instance-types/{name}"): Right.ADMINISTER,
    ("GET", "/operations/{operation}"): SIGNED_IN,
    ("POST", "/apply"): Right.ADMINISTER,
    ("GET", "/export"): Right.ADMINISTER,
    ("GET", "/backup"): Right.ADMINISTER,
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/users"): {"name": "zoe", "password": "a long enough password"},
    ("PATCH", "/users/{user}"): {"disabled": True},
    ("POST", "/projects"): {"name": "fresh"},
    ("PATCH", P): {"display_name": "Ours"},
    ("PUT", P + "/members/{user}"): {"role": "developer"},
    ("POST", "/models"): {"name": "Own", "path": "/models/own.gguf"},
    ("PUT", P + "/subscriptions/{model}"): {"accept_terms": True},
    ("POST", P + "/endpoints"): {
        "name": "fresh-one",
        "kind": "serverless",
        "model": OTHER_MODEL,
        "accept_terms": True,
    },
    ("PATCH", E): {"description": "Changed"},
    ("POST", E + "/keys/regenerate"): {"key": "secondary"},
    ("PUT", D): {"model": MODEL, "instance_type": "small", "instances": 2},
    ("PATCH", D): {"instances": 2},
    ("POST", P + "/keys"): {"name": "batch"},
    ("PUT", "/instance-types/{name}"): {"cores": 2, "memory": 2**30},
    ("PUT", P + "/limits"): {"tokens_per_day": 1000},
    ("PUT", E + "/limits"): {"concurrent_requests": 4},
    ("PUT", E + "/keys/{key}/limits"): {"tokens_per_month": 1000},
    ("PUT", P + "/keys/{key}/limits"): {"money_per_month": "5"},
    ("PUT", "/prices/models/{model}"): {"input": "1", "output": "2", "currency": "EUR"},
    ("PUT", "/prices/instance-types/{name}"): {"hour": "1", "currency": "EUR"},
    ("POST", P + "/budgets"): {"tokens": 1000},
    ("PUT", P + "/budgets/{budget}"): {"tokens": 1000},
    ("POST", "/apply"): {
        "version": 1,
        "instance_types": {"fresh": {"cores": 1, "memory": 2**30}},
    },
}
ROLES: dict[str, frozenset[Right]] = {
    "nobody": frozenset(),
    "reader": RIGHTS[Role.READER],
    "caller": RIGHTS[Role.INFERENCE_USER],
    "developer": RIGHTS[Role.DEVELOPER],
    "owner": RIGHTS[Role.OWNER],
    "admin": frozenset(Right),
    "narrowed": frozenset({Right.READ}),
}
"""By token; what its bearer may do in the project `ours`."""
ROUTES = list(NEEDS)
NAMES = [f"{method} {path}" for method, path in ROUTES]


@pytest.fixture
async def world() -> World:
    return await fill(make_world())


def _iter_dependants(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from _iter_dependants(each)


def _read_routes() -> dict[tuple[str, str], Right | str]:
    """Which right each route of the application asks for."""
    found: dict[tuple[str, str], Right | str] = {}
    for route in iter_route_contexts(make_api(make_world().services).routes):
        if not getattr(route, "include_in_schema", False):
            continue
        asked = [
            right
            for call in _iter_dependants(route.dependant)
            if call in authority.NEEDS and (right := authority.NEEDS[call])
        ]
        path = str(route.path).removeprefix(ROOT)
        for method in route.methods or ():
            assert len(asked) <= 1, f"{method} {path} asks for more than one right"
            found[method, path] = asked[0] if asked else SIGNED_IN
    return found


def test_every_route_is_in_the_table():
    """With the right that its code asks for; and nothing else is in it."""
    assert NEEDS == _read_routes()


def test_the_table_is_documented():
    """docs/reference/management.md says the same."""
    document = Path(__file__).parents[2] / "docs/reference/management.md"
    rows = re.findall(
        r"^\| `([A-Z]+)` \| `(/[^`]*)` \| ([a-z ]+) \|", document.read_text("utf-8"), re.MULTILINE
    )

    assert {(m, p): str(right) for (m, p), right in NEEDS.items()} == {
        (method, path): right for method, path, right in rows
    }


def _fill_in(path: str, project: str, endpoint: str, operation: str) -> str:
    return path.format(
        project=project,
        endpoint=endpoint,
        deployment="green",
        user="rita",
        model=MODEL,
        key="primary" if "{endpoint}" in path else "key_unknown",
        budget="bud_unknown",
        name="small",
        operation=operation,
    )


async def _ask(
    world: World, token: str | None, route: tuple[str, str], project: str, endpoint: str
) -> tuple[int, str]:
    """Status and body, ids left out."""
    method, path = route
    place = _fill_in(path, project, endpoint, "unknown")
    reply = await world.ask(token, method, place, BODIES.get(route))
    text = re.sub(r'"request_id":"[0-9a-f]{32}"', "", reply.text)
    return reply.status_code, text.replace(project, "PROJECT").replace(endpoint, "ENDPOINT")


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
async def test_nobody_gets_in_without_signing_in(world: World, route: tuple[str, str]):
    """With no token and with one that is nobody's."""
    for token in (None, "unknown"):
        status, text = await _ask(world, token, route, "ours", "ours-two")

        assert 401 == status
        assert "Sign in" in text


@pytest.mark.parametrize("token", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
async def test_a_role_may_what_the_table_says(world: World, route: tuple[str, str], token: str):
    """Enough rights are never refused with 401 or 403, and too few always are."""
    needed = NEEDS[route]
    status, _ = await _ask(world, token, route, "ours", "ours-two")
    if needed == SIGNED_IN or needed in ROLES[token]:
        assert status not in (401, 403, 405, 500)
        assert status < 300 or status in (404, 409)  # of what the test does not prepare
    elif token == "nobody" and "{project}" in route[1]:
        assert 404 == status
    else:
        assert 403 == status


@pytest.mark.parametrize("token", [each for each in ROLES if each != "admin"])
@pytest.mark.parametrize("route", [each for each in ROUTES if "{project}" in each[1]])
async def test_a_foreign_project_is_as_if_it_were_not(
    world: World, route: tuple[str, str], token: str
):
    """To the byte, apart from names and ids, whatever the role at home."""
    foreign = await _ask(world, token, route, "theirs", "theirs-one")
    absent = await _ask(world, token, route, "absent", "absent-one")

    assert 404 == foreign[0]
    assert absent == foreign


@pytest.mark.parametrize("route", [each for each in ROUTES if "{endpoint}" in each[1]])
async def test_a_foreign_endpoint_is_as_if_it_were_not(world: World, route: tuple[str, str]):
    """Also asked for through one's own project."""
    foreign = await _ask(world, "owner", route, "ours", "theirs-one")
    absent = await _ask(world, "owner", route, "ours", "absent-one")

    assert 404 == foreign[0]
    assert absent == foreign


@pytest.mark.parametrize("route", [each for each in ROUTES if each[0] != "GET"])
async def test_every_change_is_in_the_log(world: World, route: tuple[str, str]):
    """Once it is made, and only then; with its maker, and without a secret."""
    before = await world.services.audit.list()
    status, text = await _ask(world, "admin", route, "ours", "ours-two")
    lines = (await world.services.audit.list())[: -len(before)]

    assert (status < 300) == bool(lines)
    assert {"anna"} >= {line.actor for line in lines}
    secrets = re.findall(r'"(?:key|primary_key|secondary_key)":"(\w+)"', text)
    told = str([(line.before, line.after) for line in lines])
    assert not [secret for secret in [*secrets, "a long enough password"] if secret in told]
    assert all(line.before != line.after for line in lines)


async def test_lists_hold_no_foreign_project(world: World):
    """Neither projects, nor lines of the log, nor operations."""
    for token, expected in {
        "owner": ["ours"],
        "nobody": [],
        "stranger": ["theirs"],
        "admin": ["ours", "theirs"],
    }.items():
        reply = await world.ask(token, "GET", "/projects")
        assert expected == [each["name"] for each in reply.json()["items"]]
    log = (await world.ask("owner", "GET", "/projects/ours/audit")).json()["items"]
    assert {"ours"} == {each["project"] for each in log}
    made = await world.ask("developer", "DELETE", "/projects/ours/endpoints/ours-one")
    operation = made.headers["operation-location"].removeprefix(ROOT)
    assert 200 == (await world.ask("reader", "GET", operation)).status_code
    assert 404 == (await world.ask("stranger", "GET", operation)).status_code


async def test_a_narrow_token_cannot_make_a_wider_key(world: World):
    """Who may deploy, but came with a token that cannot call, makes no key that can."""
    scopes = frozenset({Right.READ.value, Right.DEPLOY.value})
    world.people.let_in("no calls", world.users["dora"], scopes)
    reply = await world.ask("no calls", "POST", "/projects/ours/keys", {"name": "batch"})
    path = "/projects/ours/endpoints/ours-one/keys/regenerate"
    keys = await world.ask("no calls", "POST", path, {"key": "primary"})

    assert 403 == reply.status_code
    assert {"primary_key": None, "secondary_key": None} == keys.json()


async def test_a_narrow_administrator_is_none(world: World):
    """A token without `administer` cannot, whoever's it is."""
    world.people.let_in("half", world.users["anna"], frozenset({Right.READ.value}))

    assert 200 == (await world.ask("half", "GET", "/projects/theirs")).status_code
    assert 403 == (await world.ask("half", "GET", "/users")).status_code
    assert 403 == (await world.ask("half", "DELETE", "/projects/theirs")).status_code


async def test_a_browser_must_mean_it(world: World):
    """A cookie reads, but changes only with the header that other sites cannot send."""
    async with world.client() as client:
        client.cookies.set(authority.COOKIE, "owner")
        path, body = "/projects/ours", {"display_name": "Mine"}
        refused = await client.patch(path, json=body)
        done = await client.patch(path, json=body, headers={"x-cupola-request": "1"})

        assert 200 == (await client.get(path)).status_code
    assert (403, 200) == (refused.status_code, done.status_code)


async def test_who_loses_a_role_loses_it_at_once(world: World, database: Database):
    """The next request is refused; over a real database as in memory."""
    for each in (world, await fill(make_world(database), database)):
        assert 200 == (await each.ask("reader", "GET", "/projects/ours")).status_code
        gone = await each.ask("owner", "DELETE", "/projects/ours/members/rita")
        assert 204 == gone.status_code
        assert 404 == (await each.ask("reader", "GET", "/projects/ours")).status_code
