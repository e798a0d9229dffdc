"""The management API's OpenAPI document as a page (see `http.page`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cupola.http.page import POLICY, STYLE, Table, iter_routes, open_page, rows_of

__all__ = ["POLICY", "render_page"]

_TEMPLATE = open_page(Path(__file__).with_name("page.html"))


def render_page(document: Mapping[str, Any]) -> str:
    """The page."""
    schemas = document["components"]["schemas"].items()
    return _TEMPLATE.render(
        document=document,
        style=STYLE,
        routes=list(iter_routes(document)),
        shapes=[Table(name, rows_of(schema)) for name, schema in schemas],
    )
