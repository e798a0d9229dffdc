"""An OpenAPI document as tables for a page: server-rendered, no script, nothing from elsewhere.

The page's policy forbids all but its own style sheet, which is named by its hash.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import DictLoader, Environment, Template
from markupsafe import Markup

_TEXT = (Path(__file__).with_name("page.css")).read_text(encoding="utf-8")
STYLE = Markup(_TEXT)  # ours; escaped, it would not be what the hash names
"""The style sheet of all such pages."""

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{b64encode(hashlib.sha256(_TEXT.encode()).digest()).decode()}'"
)
"""For the header `content-security-policy`."""


def open_page(file: Path) -> Template:
    """A page of `file`, which extends `page.html`: the frame and the tables of all such pages."""
    frame = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, loader=DictLoader({"page.html": frame}))
    return environment.from_string(file.read_text(encoding="utf-8"))


class Table(NamedTuple):
    """Names and what is said of them."""

    title: str
    rows: list[tuple[str, str]]


class Route(NamedTuple):
    """One method of one path."""

    method: str
    path: str
    summary: str
    key: bool
    tables: list[Table]


def iter_routes(document: Mapping[str, Any]) -> Iterator[Route]:
    """Each route of a document."""
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield Route(
                method.upper(),
                path,
                operation["summary"],
                operation.get("security") != [],
                list(_iter_tables(operation, schemas)),
            )


def _iter_tables(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Table]:
    parameters = [(one["name"], _say_parameter(one)) for one in operation.get("parameters", [])]
    yield Table("Parameters", parameters)
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        named = schema.get("$ref", "").rpartition("/")[2]
        yield Table("Body", rows_of(schemas[named] if named else schema))
    responses = operation["responses"].items()
    yield Table("Replies", [(status, response["description"]) for status, response in responses])


def _say_parameter(parameter: Mapping[str, Any]) -> str:
    said = f"{parameter['in']}: {_say(parameter['schema'])}"
    return f"{said}. {parameter['description']}" if "description" in parameter else said


def rows_of(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The properties of an object, those that must be there first; or what it may be."""
    if "oneOf" in schema:
        return [(_say(one), "") for one in schema["oneOf"]]
    required = schema.get("required", [])
    names = sorted(schema.get("properties", {}), key=lambda name: name not in required)
    return [
        (name, _say(schema["properties"][name]) + ("; required" if name in required else ""))
        for name in names
    ]


def _say(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    said = _say_type(schema)
    schema = {**schema.get("anyOf", [{}])[0], **schema}
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    said += f" ({', '.join(bounds)})" if bounds else ""
    return f"{said}. {schema['description']}" if "description" in schema else said


_BOUNDS = {"minimum": "at least", "maximum": "at most", "default": "by default"}


def _say_type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f"only {schema['const']!r}"
    if "enum" in schema:
        return " | ".join(map(repr, schema["enum"]))
    if "anyOf" in schema:
        return _say_type(schema["anyOf"][0])  # the rest is only tolerated
    if "oneOf" in schema:
        return " or ".join(map(_say, schema["oneOf"]))
    kind = schema.get("type", "any")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{words} of {_say(schema['items'])}" if "items" in schema else words
