"""Write docs/reference/parameters.md from the tables by which requests are read."""
# ruff: noqa: E501 (a sentence of the page is a line)

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cupola.engines.llamacpp.replica import CAN_DO
from cupola.engines.port import CAPABILITIES
from cupola.gateway.dialects import AZURE, EXTRA, FILL, OPEN, TEXT_AZURE, TEXT_EXTRA, TEXT_OPEN
from cupola.wire.fields import Field
from cupola.wire.meanings import MEANINGS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "parameters.md"
ENGINES: Mapping[str, frozenset[str]] = {"llamacpp": CAN_DO, "echo": frozenset()}

HEAD = """# Parameters

Written by `python scripts/write_parameters_page.py` from the tables by which requests are read; a test fails when the page is not theirs.

Numbers may be written as strings.
`null` means: as if absent.
A parameter that cannot be honoured is refused before anything is generated, with its name, never ignored.

- *Azure*: `/chat/completions`, and `/completions` (*Azure text*). Other names need the header `extra-parameters`: `pass-through` hands those marked *extra* to the model, `drop` removes them, `error` (the default) refuses them. A name that stands nowhere on this page never reaches a model.
- *v1*: `/v1/chat/completions`, `/v1/completions` (*v1 text*) and `/v1/fim/completions` (*fill*).

"""
ENGINE_HEAD = """
## What engines can do

All have `temperature`, `top_p`, `seed`, `stop`, penalties, JSON, tools and `n`; besides:

"""


def write_page() -> str:
    """The page's text."""
    return "".join([HEAD, *_fields(), ENGINE_HEAD, *_engines()])


def _fields() -> Iterator[str]:
    columns = ("name", "value", "Azure", "Azure text", "v1", "v1 text", "fill", "meaning")
    yield _row(*columns) + _row(*["---"] * len(columns))
    chats = {**EXTRA, **OPEN.fields, **AZURE.fields}
    texts = {**TEXT_EXTRA, **TEXT_OPEN.fields, **FILL.fields}
    for name in sorted({*chats, *texts}):
        yield _row(
            f"`{name}`",
            _value((chats.get(name) or texts[name]).schema),
            _azure(name, AZURE.fields, EXTRA),
            _azure(name, TEXT_AZURE.fields, TEXT_EXTRA),
            *("yes" if name in table.fields else "" for table in (OPEN, TEXT_OPEN, FILL)),
            MEANINGS[name],
        )


def _azure(name: str, known: Mapping[str, Field], extra: Mapping[str, Field]) -> str:
    return "yes" if name in known else "extra" if name in extra else ""


def _value(schema: Mapping[str, Any]) -> str:
    if "oneOf" in schema:
        return " or ".join(dict.fromkeys(_value(one) for one in schema["oneOf"]))
    if "$ref" in schema or "const" in schema or "enum" in schema:
        return "object" if "$ref" in schema else "fixed"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum")
    limits = {
        (True, True): f" {low} to {high}",
        (True, False): f" from {low}",
        (False, False): "",
        (False, True): f" to {high}",
    }
    return str(schema.get("type", "")) + limits[low is not None, high is not None]


def _engines() -> Iterator[str]:
    yield _row("capability", *ENGINES) + _row(*["---"] * (1 + len(ENGINES)))
    for name in CAPABILITIES:
        yield _row(f"`{name}`", *("yes" if name in can else "" for can in ENGINES.values()))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
