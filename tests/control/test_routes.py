"""What the routes do, asked as any client asks, over memory and over databases."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from cupola.control.page import POLICY
from cupola.db.database import Database
from cupola.deployments.model import DeploymentState, DeploymentStatus
from cupola.ids import DeploymentName, EndpointName
from tests.control.serving import serving
from tests.control.world import MODEL, OTHER_MODEL, ROOT, World, fill, make_world

ENDPOINTS = "/projects/ours/endpoints"
NEW = {"name": "fresh-one", "kind": "serverless", "model": OTHER_MODEL, "accept_terms": True}
MANAGED = {"name": "fresh-two", "kind": "managed", "model": MODEL, "instance_type": "small"}


@pytest.fixture
async def world(backing: Database | None) -> World:
    return await fill(make_world(backing), backing)


def _fault(reply: httpx.Response) -> tuple[int, list[Any]]:
    return reply.status_code, reply.json()["error"]["path"]


def _status(name: str, state: DeploymentState, **more: Any) -> DeploymentStatus:
    fields: dict[str, Any] = {"reason": "", "progress": None, "ready": 0, "wanted": 1}
    return DeploymentStatus(DeploymentName(name), state, revision=1, **{**fields, **more})


async def test_an_endpoint_from_beginning_to_end(world: World):
    """It is made, followed, changed, and deleted; each step is told of, and in the log."""
    made = await world.ask("developer", "POST", ENDPOINTS, NEW)
    operation = made.headers["operation-location"].removeprefix(ROOT)

    assert 201 == made.status_code
    assert "creating" == made.json()["state"]
    assert {"tokens_per_minute": 200_000, "requests_per_minute": 1000} == made.json()["limits"]
    assert "http://127.0.0.1:8100/endpoints/fresh-one" == made.json()["target_uri"]
    world.fleet.tell(
        EndpointName("fresh-one"),
        _status("fresh-one", DeploymentState.DOWNLOADING, progress=0.43, reason="Downloading."),
    )
    going = (await world.ask("reader", "GET", operation)).json()
    assert ("running", 0.43, "Downloading.") == tuple(
        going[each] for each in ("status", "progress", "reason")
    )
    world.fleet.tell(
        EndpointName("fresh-one"), _status("fresh-one", DeploymentState.READY, ready=1)
    )
    assert "succeeded" == (await world.ask("reader", "GET", operation)).json()["status"]

    path = f"{ENDPOINTS}/fresh-one"
    changed = await world.ask(
        "developer", "PATCH", path, {"description": "Mine", "tags": {"a": "b"}}
    )
    assert (200, "Mine", 2) == (
        changed.status_code,
        changed.json()["description"],
        changed.json()["version"],
    )
    scaled = await world.ask("developer", "PATCH", path, {"min_replicas": 0, "max_replicas": 3})
    assert (202, 0, 3) == (
        scaled.status_code,
        scaled.json()["deployments"][0]["min_replicas"],
        scaled.json()["deployments"][0]["max_replicas"],
    )
    gone = await world.ask("developer", "DELETE", path)
    assert (202, "deleting") == (gone.status_code, gone.json()["state"])
    ending = gone.headers["operation-location"].removeprefix(ROOT)
    assert "running" == (await world.ask("reader", "GET", ending)).json()["status"]
    world.fleet.tell(EndpointName("fresh-one"))
    assert "succeeded" == (await world.ask("reader", "GET", ending)).json()["status"]
    assert "cancelled" == (await world.ask("reader", "GET", operation)).json()["status"]
    assert 404 == (await world.ask("reader", "GET", path)).status_code

    log = (await world.ask("owner", "GET", "/projects/ours/audit?limit=5")).json()["items"]
    assert [
        "endpoints.delete",
        "deployments.scale",
        "endpoints.update",
        "subscriptions.accept",
        "endpoints.create",
    ] == [line["action"] for line in log]
    assert {"dora"} == {line["actor"] for line in log}
    assert ("", "Mine") == (log[2]["before"]["description"], log[2]["after"]["description"])
    assert "key_seed" not in str(log)


async def test_an_offer_is_accepted_once(world: World):
    """Without, nothing is made; with it once, the next endpoint needs no word of it."""
    refused = await world.ask("developer", "POST", ENDPOINTS, {**NEW, "accept_terms": False})
    assert (409, ["accept_terms"]) == _fault(refused)
    assert "Apache-2.0" in refused.json()["error"]["message"]
    assert 404 == (await world.ask("reader", "GET", f"{ENDPOINTS}/fresh-one")).status_code

    path = f"/projects/ours/subscriptions/{OTHER_MODEL}"
    statuses = [
        (await world.ask("developer", "PUT", path, {"accept_terms": True})).status_code
        for _ in range(2)
    ]
    made = await world.ask("developer", "POST", ENDPOINTS, {**NEW, "accept_terms": False})
    kept = await world.ask("developer", "DELETE", path)
    assert [201, 200, 201, 409] == [*statuses, made.status_code, kept.status_code]
    await world.ask("developer", "DELETE", f"{ENDPOINTS}/fresh-one")
    assert 204 == (await world.ask("developer", "DELETE", path)).status_code
    assert 404 == (await world.ask("developer", "DELETE", path)).status_code


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "ours-two"}, (409, [])),
        ({"name": "Bad_Name"}, (422, ["name"])),
        ({"name": "ends-"}, (422, ["name"])),
        ({"model": "Unknown"}, (422, ["model"])),
        ({"model": MODEL}, (409, ["model"])),
        ({"instances": 2}, (422, ["instances"])),
        ({"auth_mode": "token"}, (422, ["auth_mode"])),
        ({"min_replicas": 3, "max_replicas": 2}, (422, ["min_replicas"])),
        ({"max_replicas": 51}, (422, ["max_replicas"])),
        ({"max_replicas": 0}, (422, ["max_replicas"])),
        ({"quantisation": "Q9"}, (422, ["quantisation"])),
        ({"context_length": 2**29}, (422, ["context_length"])),
        ({"limits": {"tokens_per_minute": 0}}, (422, ["limits", "tokens_per_minute"])),
        ({"tags": {"a": 1}}, (422, ["tags", "a"])),
        ({"description": "\x00"}, (422, ["description"])),
        ({"kind": "other"}, (422, ["kind"])),
        ({"min_replicas": "1"}, (422, ["min_replicas"])),
        ({"unknown": None}, (422, ["unknown"])),
    ],
    ids=str,
)
async def test_what_cannot_be_served_is_refused(changes: dict[str, Any], expected: Any):
    """With its place; and nothing is made."""
    world = await fill(make_world())
    reply = await world.ask("developer", "POST", ENDPOINTS, {**NEW, **changes})

    assert expected == _fault(reply)
    assert 2 == len((await world.ask("reader", "GET", ENDPOINTS)).json()["items"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"instance_type": "none"}, (422, ["instance_type"])),
        ({"instance_type": None}, (422, ["instance_type"])),
        ({"instances": 0}, (422, ["instances"])),
        ({"instances": 51}, (422, ["instances"])),
        ({"instances": 9}, (409, ["instances"])),
        ({"min_replicas": 1}, (422, ["min_replicas"])),
        ({"accept_terms": True}, (422, ["accept_terms"])),
        ({"deployment": "B"}, (422, ["deployment"])),
        ({"model": OTHER_MODEL}, (422, ["model"])),
    ],
    ids=str,
)
async def test_a_managed_endpoint_has_rules_of_its_own(changes: dict[str, Any], expected: Any):
    """With a place; a quota says its numbers."""
    world = await fill(make_world())
    reply = await world.ask("developer", "POST", ENDPOINTS, {**MANAGED, **changes})

    assert expected == _fault(reply)
    if expected[0] == 409:
        assert "needs 9 cores; the project uses 2 of its 10, so 8 are free" in reply.text


async def test_the_shared_quota_counts_for_nothing_and_ends(world: World):
    """More cores than the project has, for a week."""
    body = {**MANAGED, "instances": 40, "shared_quota": True}
    made = await world.ask("developer", "POST", ENDPOINTS, body)

    assert "2023-11-21T22:13:20Z" == made.json()["expires"]
    assert (
        await world.ask("developer", "POST", ENDPOINTS, {**MANAGED, "name": "one-more"})
    ).is_success


async def test_an_administrator_gives_a_project_more_cores(world: World):
    """Its own quota goes before the installation's; its owner cannot."""
    body = {**MANAGED, "instances": 20}
    assert 409 == (await world.ask("developer", "POST", ENDPOINTS, body)).status_code
    quota = {"core_quota": 22}
    assert 403 == (await world.ask("owner", "PATCH", "/projects/ours", quota)).status_code
    assert 200 == (await world.ask("admin", "PATCH", "/projects/ours", quota)).status_code
    assert 201 == (await world.ask("developer", "POST", ENDPOINTS, body)).status_code


async def test_traffic_moves_and_deployments_go(world: World):
    """Blue to green: what gets requests stays, what gets none may go."""
    path = f"{ENDPOINTS}/ours-two"
    for traffic, place in [
        ({"blue": 50, "green": 40}, ["traffic"]),
        ({"blue": 50, "red": 50}, ["traffic", "red"]),
        ({"blue": 101}, ["traffic", "blue"]),
    ]:
        reply = await world.ask("developer", "PATCH", path, {"traffic": traffic})
        assert (422, place) == _fault(reply)
    moved = await world.ask("developer", "PATCH", path, {"traffic": {"blue": 0, "green": 100}})
    assert {"blue": 0, "green": 100} == moved.json()["traffic"]

    kept = await world.ask("developer", "DELETE", f"{path}/deployments/green")
    gone = await world.ask("developer", "DELETE", f"{path}/deployments/blue")
    last = await world.ask("developer", "DELETE", f"{path}/deployments/green")
    assert (409, 202, 409) == (kept.status_code, gone.status_code, last.status_code)
    following = gone.headers["operation-location"].removeprefix(ROOT)
    assert "succeeded" == (await world.ask("reader", "GET", following)).json()["status"]


async def test_a_changed_deployment_is_a_new_revision(world: World):
    """More instances are none; a return by itself is a failed operation."""
    path = f"{ENDPOINTS}/ours-two/deployments/green"
    scaled = await world.ask("developer", "PATCH", path, {"instances": 3})
    changed = await world.ask("developer", "PATCH", path, {"context_length": 512})
    again = await world.ask("developer", "PATCH", path, {"context_length": 512})

    assert [1, 2, 2] == [each.json()["revision"] for each in (scaled, changed, again)]
    assert [3, 3] == [each.json()["instances"] for each in (scaled, changed)]
    wrong = await world.ask("developer", "PATCH", path, {"min_replicas": 1})
    assert (422, ["min_replicas"]) == _fault(wrong)
    world.fleet.tell(
        EndpointName("ours-two"), _status("green", DeploymentState.FAILED, reason="Too large.")
    )
    operation = changed.headers["operation-location"].removeprefix(ROOT)
    told = (await world.ask("reader", "GET", operation)).json()
    assert ("failed", "Too large.") == (told["status"], told["reason"])


async def test_a_key_is_regenerated_and_the_other_stays(world: World):
    """And a name that returns has other keys."""
    path = f"{ENDPOINTS}/ours-one/keys"
    before = (await world.ask("caller", "GET", path)).json()
    after = (await world.ask("developer", "POST", f"{path}/regenerate", {"key": "primary"})).json()

    assert before["primary_key"] != after["primary_key"]
    assert before["secondary_key"] == after["secondary_key"]
    assert after == (await world.ask("caller", "GET", path)).json()
    assert 403 == (await world.ask("reader", "GET", path)).status_code


async def test_a_project_key_is_shown_once(world: World):
    """32 characters, of which only the digest is kept; repetitions have none."""
    body = {"name": "batch", "endpoints": ["ours-one"], "expires": "2027-01-01T00:00:00Z"}
    path = "/projects/ours/keys"
    made = await world.ask("developer", "POST", path, body, idempotency_key="k1")
    repeated = await world.ask("developer", "POST", path, body, idempotency_key="k1")

    assert 201 == made.status_code == repeated.status_code
    assert {**made.json(), "key": None} == repeated.json()
    key = made.json()["key"]
    assert len(key) == 32
    assert key.isascii()
    assert key.isalnum()
    [listed] = (await world.ask("reader", "GET", path)).json()["items"]
    assert "key" not in listed
    assert "2027-01-01T00:00:00Z" == listed["expires"]
    cases: list[tuple[dict[str, Any], list[Any]]] = [
        ({"endpoints": ["theirs-one"]}, ["endpoints", 0]),
        ({"endpoints": ["ours-one", "none-such"]}, ["endpoints", 1]),
        ({"expires": "2001-01-01T00:00:00Z"}, ["expires"]),
        ({"expires": "2027-01-01T00:00:00"}, ["expires"]),
        ({"expires": 5}, ["expires"]),
    ]
    for changes, place in cases:
        assert (422, place) == _fault(
            await world.ask("developer", "POST", path, {**body, "name": "b2", **changes})
        )
    assert 409 == (await world.ask("developer", "POST", path, body)).status_code
    assert 204 == (await world.ask("developer", "DELETE", f"{path}/{listed['id']}")).status_code
    assert 404 == (await world.ask("developer", "DELETE", f"{path}/{listed['id']}")).status_code


async def test_a_repeated_request_is_answered_again(world: World):
    """Once made, twice answered; another body, or another person, is another thing."""
    first = await world.ask("developer", "POST", ENDPOINTS, NEW, idempotency_key="one")
    second = await world.ask("developer", "POST", ENDPOINTS, NEW, idempotency_key="one")
    other = {**NEW, "name": "fresh-two"}
    misused = await world.ask("developer", "POST", ENDPOINTS, other, idempotency_key="one")
    by_another = await world.ask("owner", "POST", ENDPOINTS, NEW, idempotency_key="one")

    assert [201, 201, 409, 409] == [
        each.status_code for each in (first, second, misused, by_another)
    ]
    assert first.json() == second.json()
    assert first.headers["operation-location"] == second.headers["operation-location"]
    assert "true" == second.headers["idempotency-replayed"]
    assert "idempotency-replayed" not in first.headers
    assert "Idempotency-Key" in misused.json()["error"]["message"]
    world.clock.advance(24 * 3600 + 1)
    late = await world.ask("developer", "POST", ENDPOINTS, NEW, idempotency_key="one")
    assert 409 == late.status_code


async def test_what_was_refused_is_not_kept(world: World):
    """So the same key may be used once the reason is gone."""
    body = {**NEW, "accept_terms": False}
    refused = await world.ask("developer", "POST", ENDPOINTS, body, idempotency_key="one")
    await world.ask(
        "developer", "PUT", f"/projects/ours/subscriptions/{OTHER_MODEL}", {"accept_terms": True}
    )
    made = await world.ask("developer", "POST", ENDPOINTS, body, idempotency_key="one")

    assert [409, 201] == [refused.status_code, made.status_code]
    assert (
        400
        == (
            await world.ask("developer", "POST", ENDPOINTS, body, idempotency_key="x" * 201)
        ).status_code
    )


async def test_nobody_undoes_what_they_have_not_seen(world: World):
    """`If-Match` with an old version is 412; with the current one, or `*`, it is done."""
    path = f"{ENDPOINTS}/ours-one"
    tag = (await world.ask("reader", "GET", path)).headers["etag"]
    body = {"description": "first"}
    first = await world.ask("developer", "PATCH", path, body, if_match=tag)
    for method, place, sent in [
        ("PATCH", path, {"description": "second"}),
        ("DELETE", path, None),
        ("PATCH", f"{path}/deployments/ours-one", {"max_replicas": 2}),
    ]:
        reply = await world.ask("developer", method, place, sent, if_match=tag)
        assert 412 == reply.status_code
    assert (200, '"1"', '"2"') == (first.status_code, tag, first.headers["etag"])
    assert 412 == (await world.ask("developer", "PATCH", path, body, if_match='"x"')).status_code
    assert 400 == (await world.ask("developer", "PATCH", path, body, if_match="2")).status_code
    assert 200 == (await world.ask("developer", "PATCH", path, body, if_match="*")).status_code
    for method, place in [("PATCH", "/projects/ours"), ("DELETE", "/projects/ours")]:
        sent = {"display_name": "x"} if method == "PATCH" else None
        reply = await world.ask("owner", method, place, sent, if_match='"7"')
        assert reply.status_code in (409, 412)  # it still has endpoints


async def test_two_at_once_do_not_both_win(database: Database):
    """Of many changes of one version, one is made."""
    world = await fill(make_world(database), database)
    path = f"{ENDPOINTS}/ours-one"
    replies = await asyncio.gather(
        *(
            world.ask("developer", "PATCH", path, {"description": str(n)}, if_match='"1"')
            for n in range(5)
        )
    )

    assert [200, 412, 412, 412, 412] == sorted(each.status_code for each in replies)


async def test_a_project_with_endpoints_stays(world: World):
    """An empty one goes, with its members."""
    assert 409 == (await world.ask("owner", "DELETE", "/projects/ours")).status_code
    for name in ("ours-one", "ours-two"):
        await world.ask("owner", "DELETE", f"{ENDPOINTS}/{name}")
    assert 204 == (await world.ask("owner", "DELETE", "/projects/ours")).status_code
    assert 404 == (await world.ask("owner", "GET", "/projects/ours")).status_code


async def test_a_project_keeps_an_owner(world: World):
    """Unless an administrator takes the last one away."""
    path = "/projects/ours/members/olga"
    for method, body in [("DELETE", None), ("PUT", {"role": "reader"})]:
        assert 409 == (await world.ask("owner", method, path, body)).status_code
    await world.ask("owner", "PUT", "/projects/ours/members/dora", {"role": "owner"})
    assert 204 == (await world.ask("owner", "DELETE", path)).status_code
    assert 404 == (await world.ask("owner", "DELETE", path)).status_code
    assert 204 == (await world.ask("admin", "DELETE", "/projects/ours/members/dora")).status_code


async def test_users_come_and_go(backing: Database | None):
    """A password is neither told nor logged; who is disabled is nobody at once."""
    world = await fill(make_world(backing), backing)
    body = {"name": "zoe", "password": "correct horse battery"}
    made = await world.ask("admin", "POST", "/users", body)
    again = await world.ask("admin", "POST", "/users", body)
    world.people.let_in("zoe", await world.people.get_user(made.json()["id"]))
    assert (201, 409) == (made.status_code, again.status_code)
    assert 200 == (await world.ask("zoe", "GET", "/me")).status_code
    changed = await world.ask("admin", "PATCH", "/users/zoe", {"password": "another horse"})
    disabled = await world.ask("admin", "DELETE", f"/users/{made.json()['id']}")
    assert (200, 200, True) == (
        changed.status_code,
        disabled.status_code,
        disabled.json()["disabled"],
    )
    assert 401 == (await world.ask("zoe", "GET", "/me")).status_code
    log = (await world.ask("admin", "GET", "/audit?limit=3")).text
    assert "horse" not in made.text + changed.text + log
    assert (
        412
        == (
            await world.ask("admin", "PATCH", "/users/zoe", {"disabled": False}, if_match='"1"')
        ).status_code
    )


async def test_the_catalog_is_searched(world: World):
    """By all that an entry says."""

    async def count(query: str) -> int:
        reply = await world.ask("nobody", "GET", f"/models?limit=200&{query}")
        return len(reply.json()["items"])

    everything = await count("")
    assert 0 < await count("publisher=mistralai") < everything
    assert 1 == await count("q=pilot%20cupola")
    assert 0 == await count("q=nothing-is-called-so")
    assert everything == await count("fits=true") + await count("fits=false")
    assert 0 < await count("deployment=managed&task=chat-completions&capability=tools") < everything
    assert (422, ["task"]) == _fault(await world.ask("nobody", "GET", "/models?task=other"))


async def test_models_are_added_and_removed(world: World):
    """Not while an endpoint has one; nor one that came with Cupola."""
    both = {"name": "Own", "path": "/a.gguf", "repository": "a/b"}
    assert (422, ["path"]) == _fault(await world.ask("admin", "POST", "/models", both))
    assert (
        201
        == (
            await world.ask("admin", "POST", "/models", {"name": "Own", "repository": "a/b"})
        ).status_code
    )
    assert 409 == (await world.ask("admin", "DELETE", f"/models/{MODEL}")).status_code
    assert 204 == (await world.ask("admin", "DELETE", "/models/Own")).status_code
    assert 400 == (await world.ask("admin", "DELETE", f"/models/{OTHER_MODEL}")).status_code


async def test_instance_types_in_use_stay(world: World):
    """Others go; a name is a name."""
    body = {"cores": 4, "memory": 2**33}
    assert 201 == (await world.ask("admin", "PUT", "/instance-types/huge", body)).status_code
    assert 200 == (await world.ask("admin", "PUT", "/instance-types/huge", body)).status_code
    assert 422 == (await world.ask("admin", "PUT", "/instance-types/HUGE", body)).status_code
    assert 409 == (await world.ask("admin", "DELETE", "/instance-types/small")).status_code
    assert 204 == (await world.ask("admin", "DELETE", "/instance-types/huge")).status_code


async def test_logs_are_read_and_followed(tmp_path: Path):
    """Their end, then what is written from then on, until the caller hangs up."""
    file = tmp_path / "engine.log"
    file.write_text("old\n" * 20_000 + "last\n")
    absent = tmp_path / "absent.log"
    asked: list[tuple[str, str | None]] = []

    def find(endpoint: EndpointName, deployment: DeploymentName | None) -> list[Path]:
        asked.append((endpoint, deployment))
        return [absent, file]

    world = await fill(make_world(find_logs=find))
    path = f"{ENDPOINTS}/ours-two/logs"
    whole = await world.ask("developer", "GET", f"{path}?deployment=blue")
    assert whole.text.startswith("old\n")
    assert whole.text.endswith("old\nlast\n")
    assert 64 * 1024 - 4 <= len(whole.content) <= 64 * 1024
    assert [("ours-two", "blue")] == asked
    assert 404 == (await world.ask("developer", "GET", f"{path}?deployment=red")).status_code

    async with (
        serving(world) as root,
        httpx.AsyncClient(headers={"authorization": "Bearer developer"}) as client,
        client.stream("GET", f"{root}{path.replace(ROOT, '')}?follow=true") as reply,
    ):
        parts = reply.aiter_text()
        assert (await anext(parts)).startswith("old")
        with file.open("a") as opened:
            opened.write("new\n")
        said = ""
        while not said.endswith("new\n"):
            said += await anext(parts)


async def test_slow_work_is_repeated_too(world: World):
    """Adding a model, which may take long, is done once."""
    body = {"name": "Own", "path": "/a.gguf"}
    replies = [
        await world.ask("admin", "POST", "/models", body, idempotency_key="m") for _ in range(2)
    ]

    assert [201, 201] == [reply.status_code for reply in replies]
    assert replies[0].json() == replies[1].json()
    assert 409 == (await world.ask("admin", "POST", "/models", body)).status_code


async def test_the_document_is_a_page_without_a_script():
    """Nothing from elsewhere, and the policy forbids the rest."""
    world = make_world()
    async with world.client() as client:
        page = await client.get("/docs")
        document = (await client.get("/openapi.json")).json()

    assert POLICY == page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "https://" not in page.text.replace("https://example.org", "")
    assert all(
        path.replace("{", "&#123;") in page.text or path in page.text for path in document["paths"]
    )
