"""The management API's OpenAPI document as a page (see `http.page`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from cupola.http.page import POLICY, STYLE, Table, iter_routes, rows_of

__all__ = ["POLICY", "render_page"]

_TEMPLATE = Environment(autoescape=True).from_string(
    Path(__file__).with_name("page.html").read_text(encoding="utf-8")
)


def render_page(document: Mapping[str, Any]) -> str:
    """The page."""
    schemas = document["components"]["schemas"].items()
    return _TEMPLATE.render(
        document=document,
        style=STYLE,
        routes=list(iter_routes(document)),
        shapes=[Table(name, rows_of(schema)) for name, schema in schemas],
    )
