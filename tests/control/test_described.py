"""The OpenAPI document against the server that it describes, by schemathesis.

As an administrator, over SQLite, on a real socket: whatever the document allows and forbids is
sent, and nothing of it may end in a 500 or in a reply that the document does not tell of.
"""

import asyncio
import sys
from pathlib import Path

import pytest
import schemathesis
from jsonschema import Draft202012Validator

from cupola.control.app import make_api
from cupola.db.database import Database
from tests.control.serving import serving
from tests.control.world import fill, make_world
from tests.sqlite import make_database

OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=4",
    "--seed=1",
    "--continue-on-failure",
    "--no-color",
    # Rules between fields (a managed endpoint needs an instance type) are none that a schema says.
    "--exclude-checks=positive_data_acceptance",
)


def test_the_document_is_valid() -> None:
    """By the meta-schemas of OpenAPI 3.1 and of JSON Schema; and it explains itself."""
    document = make_api(make_world().services).openapi()
    schemathesis.openapi.from_dict(document).validate()

    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], f"{method} {path}"


@pytest.mark.parametrize("tag", ["projects", "endpoints", "deployments", "models", "the rest"])
async def test_the_document_describes_what_the_server_does(tmp_path: Path, tag: str) -> None:
    """Part by part, each over a database of its own."""
    make_database(tmp_path / "cupola.db")
    database = Database(tmp_path / "cupola.db")
    world = await fill(make_world(database), database)
    known = ["projects", "endpoints", "deployments", "models"]
    only = [f"--include-tag={tag}"] if tag in known else [f"--exclude-tag={each}" for each in known]
    async with serving(world) as root:
        header = "--header=Authorization: Bearer admin"
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "schemathesis.cli", "run", f"{root}/openapi.json"),
            *(header, *OPTIONS, *only),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await run.communicate()
    await database.close()

    assert 0 == run.returncode, said.decode()


BAD = {
    "not JSON": (b"{", 400),
    "not text": (b"\xff\xfe", 400),
    "too deep": (b"[" * 100_000, 400),
    "a list": (b"[]", 422),
    "nothing": (b"", 422),
    "a lone surrogate": (b'{"display_name": "\\ud800"}', 422),
    "not a number": (b'{"core_quota": NaN}', 422),
    "a huge number": (b'{"core_quota": 1' + b"0" * 400 + b"}", 422),
    "a number of ten thousand digits": (b'{"core_quota": 1' + b"0" * 10_000 + b"}", 400),
    "a nought": (b'{"display_name": "\\u0000"}', 422),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_bodies_are_told_so(case: str) -> None:
    """Whatever they are, never with a 500, always in the one shape."""
    world = await fill(make_world())
    body, status = BAD[case]
    async with world.client("admin") as client:
        reply = await client.patch(
            "/projects/ours", content=body, headers={"content-type": "application/json"}
        )

    assert status == reply.status_code, reply.text
    assert reply.headers["x-request-id"] == reply.json()["error"]["request_id"]


async def test_a_body_has_a_bound() -> None:
    """Declared or not, it is refused before it is read whole."""
    world = await fill(make_world())

    async def parts():
        for number in range(64):
            assert number < 45, "more is read than the bound"
            yield b" " * 100_000

    async with world.client("admin") as client:
        for content in (b" " * 5_000_000, parts()):
            reply = await client.patch("/projects/ours", content=content)
            assert (413, "close") == (reply.status_code, reply.headers["connection"])


@pytest.mark.parametrize(
    "path", ["/projects/a%00b", "/projects/%ff%fe", "/users/%0d%0a", "/projects/..%2f..", "/\u20ac"]
)
async def test_strange_paths_lead_nowhere(path: str) -> None:
    """Not found, as any other name."""
    world = await fill(make_world())

    assert 404 == (await world.ask("admin", "GET", path)).status_code


@pytest.mark.parametrize("token", ["", " ", "\u00e9", "x" * 10_000, "a b c", "'; --"])
async def test_strange_tokens_are_nobody(token: str) -> None:
    """401, whatever they are."""
    world = await fill(make_world())
    async with world.client() as client:
        reply = await client.get("/me", headers={b"authorization": f"Bearer {token}".encode()})

    assert 401 == reply.status_code
