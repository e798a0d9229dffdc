"""Errors have one shape, and say nothing that is not for the caller."""

import logging

import pytest
from fastapi import APIRouter

from cupola.control.app import make_control
from cupola.control.errors import TABLE, describe
from cupola.kit.errors import CupolaError, Kind, Malformed, RateLimited, Several, Unavailable
from tests.control.world import ROOT, make_world


def test_every_kind_has_a_status():
    """So that a new one cannot become a 500 by being forgotten."""
    assert set(Kind) == set(TABLE)
    assert {Kind.INTERNAL} == {kind for kind, status in TABLE.items() if status == 500}


def test_what_is_private_stays_private():
    """The log has it, the caller does not."""
    error = Unavailable("Not now.", private="postgresql://secret", retry_after=0.2)
    status, body, headers = describe(error, "id")

    assert 503 == status
    assert {"retry-after": "1"} == headers
    assert {
        "code": "unavailable",
        "message": "Not now.",
        "path": [],
        "request_id": "id",
    } == body["error"]


def test_several_faults_are_told_at_once():
    """The first as the error's own, all of them in `details`."""
    faults = [Malformed("One.", path=("a", 0)), Malformed("Two.", path=("b",), code="missing")]
    status, body, _ = describe(Several(faults), "id")

    assert (422, "One.", ["a", 0]) == (status, body["error"]["message"], body["error"]["path"])
    assert [
        {"path": ["a", 0], "message": "One.", "code": "value_error"},
        {"path": ["b"], "message": "Two.", "code": "missing"},
    ] == body["error"]["details"]


@pytest.mark.parametrize("error", [RuntimeError("a secret"), CupolaError("Ours.", private="why")])
async def test_a_fault_of_ours_is_logged_and_numbered(
    error: Exception, caplog: pytest.LogCaptureFixture
):
    """The number is all that the caller learns."""
    router = APIRouter()

    @router.get("/broken")
    async def fail() -> None:
        raise error

    world = make_world()
    world.__dict__["control"] = make_control(world.services, routers=[router])
    with caplog.at_level(logging.WARNING):
        reply = await world.ask(None, "GET", "/broken")

    told = reply.json()["error"]
    assert (500, "internal") == (reply.status_code, told["code"])
    assert told["request_id"] in caplog.text
    assert "secret" not in reply.text
    assert "why" not in reply.text


async def test_pages_are_served_where_they_say():
    """Beside the API, with the same edge around them."""
    pages = APIRouter()

    @pages.get("/sign-in")
    async def show() -> dict[str, str]:
        return {"page": "sign in"}

    world = make_world()
    world.__dict__["control"] = make_control(world.services, pages=[pages])
    async with world.client() as client:
        reply = await client.get("http://control/sign-in")
        document = (await client.get(f"http://control{ROOT}/openapi.json")).json()

    assert {"page": "sign in"} == reply.json()
    assert reply.headers["x-request-id"]
    assert "/sign-in" not in document["paths"]


async def test_who_asks_too_often_is_told_how_long_to_wait():
    """In whole seconds, never nought."""
    _, _, headers = describe(RateLimited("Slowly.", retry_after=59.6), "id")

    assert {"retry-after": "60"} == headers
