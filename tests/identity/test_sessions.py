"""One's own sessions, through the management API."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cupola.identity.tokens import new_token
from cupola.kit.clock import FakeClock
from tests.identity.cheap import PASSWORD
from tests.identity.serving import Served, serving

API = "/management/v1"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, clock=FakeClock()) as served:
        yield served


async def client_of(served: Served, name: str, scopes: frozenset[str] | None = None):
    """Somebody who has signed in."""
    user = await served.identity.find_named(name)
    user = user or await served.identity.create_user(name, PASSWORD)
    _, token = await served.identity.open_session(user, name, scopes=scopes)
    headers = {"authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=served.url + API, headers=headers)


async def test_a_token_for_a_program(served: Served):
    """Shown once, narrower, listed, revoked, and each with its line in the audit log."""
    async with await client_of(served, "ada") as ada:
        body = {"label": "batch", "scopes": ["read", "call"], "lifetime": 3600}
        made = await ada.post("/sessions", json=body)
        token, session = made.json()["token"], made.json()["session"]
        headers = {"authorization": f"Bearer {token}"}
        me = await ada.get("/me", headers=headers)
        listed = (await ada.get("/sessions")).json()["items"]
        gone = await ada.delete(f"/sessions/{session['id']}")
        after = await ada.get("/me", headers=headers)
        again = await ada.delete(f"/sessions/{session['id']}")

    assert (201, 204, 401, 404) == (
        made.status_code,
        gone.status_code,
        after.status_code,
        again.status_code,
    )
    assert ["call", "read"] == me.json()["scopes"] == session["scopes"]
    assert session in listed
    assert token not in str(listed)
    assert ["sessions.open ada", "sessions.end ada"] == await served.noted()


async def test_a_repeated_request_makes_one_token(served: Served):
    """And does not show it again."""
    async with await client_of(served, "ada") as ada:
        headers = {"idempotency-key": "one"}
        first = await ada.post("/sessions", json={"label": "batch"}, headers=headers)
        second = await ada.post("/sessions", json={"label": "batch"}, headers=headers)
        listed = (await ada.get("/sessions")).json()["items"]

    assert first.json()["token"]
    assert second.json()["token"] is None
    assert 2 == len(listed)


async def test_others_sessions_do_not_exist(served: Served):
    """Neither in the list, nor for an end to them."""
    async with await client_of(served, "ada") as ada, await client_of(served, "bob") as bob:
        [theirs] = (await ada.get("/sessions")).json()["items"]
        [mine] = (await bob.get("/sessions")).json()["items"]
        refused = await bob.delete(f"/sessions/{theirs['id']}")
        still = await ada.get("/me")

    assert mine["id"] != theirs["id"]
    assert (404, 200) == (refused.status_code, still.status_code)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"label": "x", "scopes": ["read", "deploy"]}, ["scopes"]),
        ({"label": "x", "scopes": ["king"]}, ["scopes", 0]),
        ({"label": "x", "lifetime": 0}, ["lifetime"]),
        ({"label": "x", "lifetime": 10**12}, ["lifetime"]),
        ({"label": ""}, ["label"]),
        ({}, ["label"]),
    ],
    ids=str,
)
async def test_a_token_that_cannot_be_is_refused(served: Served, body: object, path: list[object]):
    """With the place of the fault: wider than the caller's own, or without an end."""
    async with await client_of(served, "ada", frozenset({"read"})) as ada:
        refused = await ada.post("/sessions", json=body)

    assert 422 == refused.status_code
    assert path == refused.json()["error"]["path"]


async def test_the_console_has_none(tmp_path: Path):
    """It says so, instead of making one that nobody could end."""
    token = new_token()
    async with serving(tmp_path, clock=FakeClock(), console_token=token) as served:
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=served.url + API, headers=headers) as console:
            listed = await console.get("/sessions")
            refused = await console.post("/sessions", json={"label": "x"})
            users = await console.get("/users")

    assert [] == listed.json()["items"]
    assert 400 == refused.status_code
    assert 200 == users.status_code
