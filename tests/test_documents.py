"""What documents promise is compared with the code."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from cupola.app.gauges import (
    FleetSource,
    LedgerSource,
    LimitSource,
    ProcessSource,
    WatchSource,
)
from cupola.gateway.address import DEPLOYMENT, ENDPOINT, MODEL_PREFIXES
from cupola.gateway.metrics import RequestMetrics
from cupola.kit.errors import Kind
from tests.clients.matrix import FEATURES
from tests.clients.table import BEGIN, DOCUMENT, END, render

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DIALECTS = ("azure", "openai", "mistral")


def test_every_kind_of_error_is_documented():
    """docs/reference/errors.md gives each kind's status in each dialect, as the tables do."""
    text = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    tables = [import_module(f"cupola.wire.{dialect}.errors").TABLE for dialect in DIALECTS]

    assert rows == [(kind.value, *(str(table[kind][0]) for table in tables)) for kind in Kind]


def test_every_address_is_documented():
    """docs/reference/addresses.md has each path of an endpoint, and none besides."""
    text = (ROOT / "docs/reference/addresses.md").read_text("utf-8")
    rows = re.findall(r"^\| ((?:`/[^`]+`(?:, )?)+) \| (?:GET|POST)", text, re.MULTILINE)
    paths = {f"/{path}" for path in ENDPOINT if path}
    paths |= {f"/openai/deployments/NAME/{path}" for path in DEPLOYMENT}
    paths |= {f"/{prefix}ID" for prefix in MODEL_PREFIXES}

    assert sorted(paths) == sorted(re.findall(r"`(/[^`]+)`", " ".join(rows)))


def test_every_metric_is_documented():
    """docs/reference/metrics.md has each with its kind, labels and meaning, and none besides."""
    text = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) \| (.+) \|$", text, re.MULTILINE
    )
    sources = (RequestMetrics, FleetSource, WatchSource, LedgerSource, LimitSource, ProcessSource)

    assert rows == [
        (each.name, each.kind, ", ".join(f"`{label}`" for label in each.labels), each.meaning)
        for source in sources
        for each in source.families
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    """Every relative link in a document names something that exists."""
    targets = re.findall(r"\]\((?!http)([^)#]+)", document.read_text("utf-8"))
    missing = [target for target in targets if not (document.parent / target).exists()]

    assert [] == missing


def test_architecture_shows_every_room():
    """The map in ARCHITECTURE.md has a line for each package and module, and stays short."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "src/cupola").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("__")
    }

    assert [] == [room for room in sorted(rooms) if f"\n  {room} " not in text]
    assert len(text.splitlines()) <= 200


def test_the_client_matrix_is_documented():
    """docs/reference/compatibility.md has the matrix's table, and says what its columns ask.

    `python -m tests.clients.table` writes the table anew.
    """
    text = DOCUMENT.read_text("utf-8")
    shown = text.partition(BEGIN)[2].partition(END)[0]

    assert render() == shown.strip()
    assert [] == [name for name, what in FEATURES.items() if f"- `{name}`: it {what}." not in text]
