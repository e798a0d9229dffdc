"""The document and the page say what is there, no more and no less."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from cupola.gateway.address import resolve
from cupola.gateway.openapi import describe_endpoint
from cupola.wire.azure import decode as azure
from tests.gateway.fakes import HELLO, FixedPool, caller_of, saying, served

PILOT = "/endpoints/pilot"
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
TEXT = {"prompt": "Hi"}


@pytest.fixture
def document() -> dict[str, Any]:
    return describe_endpoint(served(FixedPool([])), "http://localhost:8100/endpoints/pilot")


def test_every_described_path_is_served(document: dict[str, Any]):
    """Each leads to something."""
    assert all(resolve(PILOT + path.replace("{id}", "x")) for path in document["paths"])


async def test_every_described_path_answers(document: dict[str, Any]):
    """With the method, the status and the kind of content that are said."""
    caller, _ = caller_of(saying(*HELLO))
    for path, item in document["paths"].items():
        ((method, operation),) = item.items()
        wanted = TEXT if "chat" not in path else CHAT
        body = wanted if method == "post" else None
        response = await caller.call(PILOT + path.replace("{id}", "Cupola-Pilot"), body)

        kinds = operation["responses"][str(response.status)]["content"]
        assert response.headers["content-type"].partition(";")[0] in kinds


def test_bodies_are_described_by_the_tables_that_read_them(document: dict[str, Any]):
    """A field that is read is described."""
    schema = document["components"]["schemas"]["AzureChatRequest"]

    assert azure.FIELDS.keys() == schema["properties"].keys()


def test_every_reference_leads_somewhere(document: dict[str, Any]):
    """And what is led to exists once."""
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))

    assert references <= document["components"]["schemas"].keys()


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
