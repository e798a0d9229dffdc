"""An endpoint's OpenAPI document as a page, with calls to copy (see `http.page`)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template

from cupola.http.page import STYLE, Table, iter_routes, open_page, rows_of

_CURL = """\
curl {url}/chat/completions \\
  -H 'Authorization: Bearer KEY' -H 'Content-Type: application/json' \\
  -d '{{"messages": [{{"role": "user", "content": "How many languages are in the world?"}}]}}'"""
_PYTHON = """\
from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import UserMessage
from azure.core.credentials import AzureKeyCredential

client = ChatCompletionsClient(
    endpoint="{url}",
    credential=AzureKeyCredential("KEY"),
)
reply = client.complete(messages=[UserMessage("How many languages are in the world?")])
print(reply.choices[0].message.content)"""


def render_page(document: Mapping[str, Any]) -> str:
    """The page of an endpoint's document."""
    url = document["servers"][0]["url"]
    schemas = document["components"]["schemas"]
    return _open().render(
        document=document,
        style=STYLE,
        url=url,
        curl=_CURL.format(url=url),
        python=_PYTHON.format(url=url),
        routes=list(iter_routes(document)),
        shapes=[Table(name, rows_of(schema)) for name, schema in schemas.items()],
    )


@cache
def _open() -> Template:
    """When it is first asked for: a start has no time for it."""
    return open_page(Path(__file__).with_name("page.html"))
