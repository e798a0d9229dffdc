"""`cupola usage`, `cost`, `limits`, `prices` and `budgets` as processes, over a real ledger."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cupola import sdk
from tests.control.live import Live, live
from tests.metering.samples import record
from tests.patience import PATIENCE
from tests.running import environment

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """With two models' requests in its ledger, one of a name that is meant to do harm."""
    with live(tmp_path_factory.mktemp("metering") / "home") as started:
        at = started.now - 7200
        started.write(
            [
                record(time=at, model="Small", prompt=1000, completion=500, cost=2_500_000_001),
                record(time=at, model="<b>=1&1", prompt=3000, completion=0, cost=1_000_000_000),
                record(time=at, model="Small", project="other", prompt=7, completion=0, cost=0),
            ]
        )
        yield started


@pytest.fixture
def run(server: Live, tmp_path: Path) -> "Shell":
    return Shell(server, tmp_path)


class Shell:
    """A terminal at the server's home."""

    def __init__(self, server: Live, folder: Path) -> None:
        self._settings = {
            "CUPOLA_HOME": str(server.home),
            "CUPOLA_TOKEN": server.session,
            "XDG_CONFIG_HOME": str(folder),
        }

    def __call__(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cupola", *words],
            capture_output=True,
            env=environment() | self._settings,
            timeout=PATIENCE,
        )
        assert status == done.returncode, (done.stdout, done.stderr)
        assert b"Traceback" not in done.stderr
        return (done.stderr if status else done.stdout).decode()

    def show(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


def names_of(kind: type) -> list[str]:
    return [each.name for each in fields(kind)]


def test_usage_as_a_table_with_bars(run: Shell):
    """The largest first, with the meters' names, and bars in proportion."""
    header, first, second = run("usage", "--by", "model", "--since", "7d").splitlines()

    assert ["MODEL", "REQUESTS", "INPUT", "TOKENS"] == header.split()[:4]
    assert "OUTPUT TOKENS  CORE HOURS" in header
    assert first.startswith("<b>=1&1")
    assert "1,000" in second
    assert first.count("█") == 2 * second.count("█") == 24


def test_usage_for_programs(run: Shell):
    """JSON with the SDK's fields; CSV without a formula."""
    shown = run.show("usage", "--by", "endpoint", "--by", "day")
    assert names_of(sdk.UsageReport) == list(shown)
    assert names_of(sdk.UsageLine) == list(shown["items"][0])
    assert (["endpoint", "day"], 4000) == (shown["by"], shown["items"][0]["input_tokens"])

    rows = list(csv.reader(io.StringIO(run("usage", "--csv"))))
    assert ["model", "requests", "failures", "input_tokens"] == rows[0][:4]
    assert ["<b>=1&1", "Small"] == [row[0] for row in rows[1:]]
    assert "Choose --json or --csv." in run("usage", "--csv", "--json", status=2)


def test_usage_of_all_projects(run: Shell):
    """`--by project` compares them; a named one is itself alone."""
    every = run.show("usage", "--by", "project")
    assert ["default", "other"] == [each["group"]["project"] for each in every["items"]]
    one = run.show("usage", "--by", "project", "--project", "default")
    assert ["default"] == [each["group"]["project"] for each in one["items"]]


def test_cost(run: Shell):
    """To the nano-unit, in the table as in JSON."""
    assert "2.500000001" in run("cost")
    shown = run.show("cost", "--by", "day")
    assert [("EUR", "3.500000001")] == [(each["currency"], each["cost"]) for each in shown["items"]]
    assert names_of(sdk.CostReport) == list(shown)
    assert "nothing" in run("cost", "--model", "none-such")


def test_plot(run: Shell, tmp_path: Path):
    """An SVG that any reader of XML reads, with a bar a row; PNG says what it needs."""
    file = tmp_path / "usage.svg"
    run("usage", "--by", "model", "--plot", str(file))
    picture = ElementTree.parse(file).getroot()
    texts = [each.text for each in picture.iter(f"{SVG}text")]
    widths = [int(each.attrib["width"]) for each in picture.iter(f"{SVG}rect")]

    assert "<b>=1&1" in texts
    assert "3,000" in texts
    assert [480, 240] == widths
    assert "should end with .svg or .png" in run("usage", "--plot", "usage.gif", status=1)
    assert "pip install 'cupola[plot]'" in run("usage", "--plot", str(tmp_path / "u.png"), status=1)


def test_limits(run: Shell):
    """Set one by one, shown, taken away one by one and all together."""
    run("limits", "set", "--tpm", "5000", "--money-per-month", "12.5")
    changed = run.show("limits", "set", "--rpm", "60", "--tpm", "none")
    assert names_of(sdk.AllLimits) == list(changed)
    assert (60, None, "12.50") == (
        changed["requests_per_minute"],
        changed["tokens_per_minute"],
        changed["money_per_month"],
    )
    assert "Requests per minute     60" in run("limits", "show")
    assert "takes a whole number" in run("limits", "set", "--rpm", "many", status=2)
    assert "default has no limits of its own any more.\n" == run("limits", "clear")
    assert "has no limits of its own" in run("limits", "clear", status=4)
    assert "has no endpoint 'none-such'" in run("limits", "show", "none-such", status=4)


def test_limits_of_an_endpoint(run: Shell):
    """Beside what the endpoint has itself."""
    words = ("deploy", "Cupola-Pilot", "--name", "limited", "--managed", "--instance-type", "small")
    run(*words)
    shown = run.show("limits", "set", "limited", "--concurrency", "2", "--rpm", "10")

    assert ("endpoint", "limited", 2) == (
        shown["scope"],
        shown["subject"],
        shown["concurrent_requests"],
    )
    assert 10 == run.show("endpoints", "show", "limited")["limits"]["requests_per_minute"]


def test_limits_of_an_endpoints_own_key(run: Shell):
    """Named with its endpoint; neither the endpoint's own nor the other key's."""
    words = ("deploy", "Cupola-Pilot", "--name", "shared", "--managed", "--instance-type", "small")
    run(*words)
    shown = run.show("limits", "set", "shared", "--key", "secondary", "--rpm", "6")

    assert ("key", "shared/secondary", 6) == (
        shown["scope"],
        shown["subject"],
        shown["requests_per_minute"],
    )
    assert run.show("limits", "show", "shared")["requests_per_minute"] is None
    assert run.show("limits", "show", "shared", "--key", "primary")["requests_per_minute"] is None
    said = run("limits", "clear", "shared", "--key", "secondary")
    assert "shared/secondary has no limits of its own any more.\n" == said
    assert "'primary' and 'secondary'" in run("limits", "show", "shared", "--key", "x", status=2)
    assert "Name the endpoint" in run("limits", "show", "--key", "primary", status=2)


def test_records(run: Shell):
    """Each request's, of the project, in lines of JSON or of CSV, by the filters; not in groups."""
    lines = [json.loads(line) for line in run("usage", "--records").splitlines()]
    assert ["Small", "<b>=1&1"] == [each["model"] for each in lines]
    assert ("2.500000001", 1000) == (lines[0]["cost"], lines[0]["prompt"])
    rows = list(csv.DictReader(io.StringIO(run("usage", "--records", "--csv", "--model", "Small"))))
    assert [("Small", "1000")] == [(row["model"], row["prompt"]) for row in rows]
    assert "" == run("usage", "--records", "--since", "1h")
    assert "without --by" in run("usage", "--records", "--by", "model", status=2)
    assert 3 == len(run("usage", "--records", "--all").splitlines())
    assert "no project 'none'" in run("usage", "--records", "--project", "none", status=4)


def test_prices(run: Shell):
    """Of models and instance types; a currency is known once there is one."""
    said = run("prices", "set", "Cupola-Pilot", "--input", "0.5", "--output", "1", status=2)
    assert "--currency" in said
    words = ("--input", "0.5", "--output", "1.25", "--currency", "EUR")
    made = run.show("prices", "set", "Cupola-Pilot", *words)
    assert names_of(sdk.Price) == list(made)
    run("prices", "set", "--instance-type", "small", "--hour", "0.1")
    listed = run("prices", "list", "--all")

    assert "model          Cupola-Pilot  0.50   1.25    -     EUR" in listed
    assert "instance type  small" in listed
    wrong = ("--input", "-1", "--output", "1")
    assert "input: " in run("prices", "set", "Cupola-Pilot", *wrong, status=1)


def test_budgets(run: Shell):
    """Made, listed with how it stands, replaced, deleted."""
    made = run.show("budgets", "set", "--amount", "5", "--currency", "EUR", "--warn", "50")
    assert names_of(sdk.Budget) == list(made)
    listed = run("budgets", "list")
    assert "5.00 EUR  3.500000001 EUR  70 %" in listed
    replaced = run.show("budgets", "set", "--id", made["id"], "--tokens", "9000", "--refuse")
    assert (made["id"], 9000, 2) == (replaced["id"], replaced["tokens"], replaced["version"])
    assert [] == run.show("budgets", "notices")
    run("budgets", "delete", made["id"])
    assert [] == run.show("budgets", "list")
    assert "no budget" in run("budgets", "delete", made["id"], status=4)
