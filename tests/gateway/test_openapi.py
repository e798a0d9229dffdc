"""The document and the page say what is there, no more and no less."""

import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from cupola.engines.port import Generation
from cupola.gateway.address import resolve
from cupola.gateway.directory import Served, serve_alone
from cupola.gateway.openapi import describe_endpoint
from cupola.kit.errors import RateLimited
from cupola.wire.azure import decode as azure
from cupola.wire.canonical import Event, Failed
from tests.gateway.fakes import (
    HELLO,
    PROFILE,
    Caller,
    FixedPool,
    ScriptedReplica,
    caller_of,
    gateway_of,
    saying,
    served,
)

PILOT = "/endpoints/pilot"
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
TEXT = {"prompt": "Hi"}


@pytest.fixture
def document() -> dict[str, Any]:
    pilot = served(FixedPool([]))
    return describe_endpoint(pilot, serve_alone(pilot), "http://localhost:8100/endpoints/pilot")


def describe(one: Served, url: str) -> dict[str, Any]:
    """The document of an endpoint that has only this deployment."""
    return describe_endpoint(one, serve_alone(one), url)


def fill(path: str) -> str:
    """`path` at the endpoint, with a value for each of its parameters."""
    return PILOT + path.format(id="Cupola-Pilot", deployment="pilot")


def fits(document: dict[str, Any], name: str) -> Draft202012Validator:
    """What says whether a value is of the document's schema `name`."""
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:document", resource)
    reference = {"$ref": f"urn:document#/components/schemas/{name}"}
    return Draft202012Validator(reference, registry=registry)


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]):
    """By which generated clients call it."""
    names = [operation["operationId"] for _, operation in iter_operations(document)]

    assert len(names) == len(set(names)) == len(document["paths"])


def iter_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        ((_, operation),) = item.items()
        yield path, operation


def test_every_described_path_is_served(document: dict[str, Any]):
    """Each leads to something."""
    assert all(resolve(fill(path)) for path in document["paths"])


async def test_every_described_path_answers_its_example(document: dict[str, Any]):
    """With the status, the headers and the kind of content that are said."""
    caller, _ = caller_of(saying(*HELLO))
    for path, operation in iter_operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        method = "POST" if "post" in document["paths"][path] else "GET"
        response = await caller.call(fill(path), body.get("example"), method=method)

        described = operation["responses"][str(response.status)]
        assert response.headers["content-type"].partition(";")[0] in described["content"]
        headers = document["components"]["headers"]
        always = {name for name in described["headers"] if headers[name]["required"]}
        assert always <= response.headers.keys()
        assert not body or 200 == response.status


async def test_a_stream_is_of_described_chunks(document: dict[str, Any]):
    """Each of them, which a schema of the whole reply cannot say."""
    caller, _ = caller_of(saying(*HELLO))
    response = await caller.call(f"{PILOT}/chat/completions", {**CHAT, "stream": True})
    events = [event.removeprefix("data: ") for event in response.body.decode().split("\n\n")]

    assert ["[DONE]", ""] == events[-2:]
    for event in events[:-2]:
        fits(document, "ChatCompletionChunk").validate(msgspec.json.decode(event))
        fits(document, "ChatCompletionEvent").validate({"data": event})


def test_bodies_are_described_by_the_tables_that_read_them(document: dict[str, Any]):
    """A field that is read is described."""
    schema = document["components"]["schemas"]["AzureChatRequest"]

    assert azure.FIELDS.keys() == schema["properties"].keys()


def test_every_reference_leads_somewhere(document: dict[str, Any]):
    """And what is led to exists once."""
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))

    assert references <= document["components"]["schemas"].keys()


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"chat_template": ""}, "chat/completions"),
        ({"takes_conversations": True}, "/completions"),
    ],
    ids=["no chat", "no text"],
)
async def test_what_the_model_cannot_do_is_not_described(changes: dict[str, Any], lacking: str):
    """A route that would answer 404 to everybody is no promise."""
    profile = replace(PROFILE, **changes)
    caller = Caller(gateway_of(replace(served(FixedPool([])), profile=profile)))
    missing = {path for path, _ in iter_operations(describe(served(FixedPool([])), ""))}
    described = describe(replace(served(FixedPool([])), profile=profile), "")
    missing -= described["paths"].keys()

    assert any(path.endswith(lacking) for path in missing)
    for path in missing - {"/score"}:
        body = {**CHAT} if "chat" in path else {**TEXT}
        assert 404 == (await caller.call(fill(path), body)).status


async def test_a_providers_refusals_are_described():
    """Models that others run have limits of their own, and not all say when to come back."""
    profile = replace(PROFILE, takes_conversations=True)
    provider = replace(served(FixedPool([ScriptedReplica(limited, profile)])), profile=profile)
    answer = await Caller(gateway_of(provider)).call(f"{PILOT}/chat/completions", CHAT)

    described = describe(provider, "http://h")
    [refusal] = [
        one["responses"]["429"]
        for path, one in iter_operations(described)
        if path == "/chat/completions"
    ]
    reference = refusal["content"]["application/json"]["schema"]["$ref"]
    assert 429 == answer.status
    fits(described, reference.rpartition("/")[2]).validate(answer.json)
    assert "retry-after" in refusal["headers"].keys() - answer.headers.keys()
    assert not described["components"]["headers"]["retry-after"]["required"]


async def limited(request: Generation) -> AsyncGenerator[Event, None]:
    yield Failed(RateLimited("Wait a while."))


async def test_the_document_knows_its_address():
    """As the caller wrote it, so that what is copied from the page works."""
    caller, _ = caller_of(saying(*HELLO))
    headers = {"host": "cupola.example:8100"}
    response = await caller.call(f"{PILOT}/openapi.json", headers=headers)

    assert [{"url": "http://cupola.example:8100/endpoints/pilot"}] == response.json["servers"]


class Tags(HTMLParser):
    """Every tag with an address in it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, value) for name, value in attrs if name in ("href", "src")]
        assert tag != "script"


async def test_the_page_loads_nothing():
    """No script, nothing from elsewhere; its policy says so to the browser."""
    caller, _ = caller_of(saying(*HELLO))
    response = await caller.call(f"{PILOT}/docs", headers={"host": "h<script>"})

    tags = Tags()
    tags.feed(response.body.decode())
    assert [("a", "openapi.json")] == tags.found
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"curl http://h&lt;script&gt;/endpoints/pilot/chat/completions" in response.body
