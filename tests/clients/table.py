"""The client matrix as a table for people: on the terminal after a run, and in the documents."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients.matrix import CLIENTS, FEATURES, Client

DOCUMENT = Path(__file__).parents[2] / "docs/reference/compatibility.md"
BEGIN, END = "<!-- matrix -->", "<!-- end of matrix -->"
WORDS = {
    "passed": "pass",
    "failed": "FAIL",
    "error": "FAIL",
    "skipped": "skip",
    "xfailed": "known",
    "xpassed": "MENDED",
}
Cells = Mapping[tuple[str, str], str]


def write_table(reporter: pytest.TerminalReporter) -> None:
    """One row a client and one column a feature; nothing if no test of the matrix ran."""
    cells = _collect(reporter)
    if not cells:
        return
    reporter.section("client matrix")
    width = max(len(client.label) for client in CLIENTS)
    reporter.write_line(" ".join([" " * width, *FEATURES]))
    for client in CLIENTS:
        row = [_word(cells, client, name).rjust(len(name)) for name in FEATURES]
        reporter.write_line(" ".join([client.label.ljust(width), *row]))
    reporter.write_line("-: the client does not offer it; known: a fault of ours, not mended yet")


def _word(cells: Cells, client: Client, feature: str) -> str:
    """Empty if this run did not get there."""
    return "-" if feature in client.lacks else cells.get((client.label, feature), "")


def _collect(reporter: pytest.TerminalReporter) -> Cells:
    """How each cell's test came out; a fixture's failure counts as the test's."""
    found: dict[tuple[str, str], str] = {}
    for outcome, word in WORDS.items():
        for report in reporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name == "matrix":
                    found[tuple(value)] = word
    return found


def render() -> str:
    """The same table in Markdown, with what each client lacks and what is broken below it."""
    return "\n".join([*_rows(), "", *_notes()])


def _rows() -> Iterator[str]:
    yield f"| client | version | {' | '.join(FEATURES)} |"
    yield "| --- | --- |" + " --- |" * len(FEATURES)
    for client in CLIENTS:
        marks = " | ".join(_mark(client, feature) for feature in FEATURES)
        yield f"| {_name(client)} | {client.version} | {marks} |"


def _mark(client: Client, feature: str) -> str:
    if feature in client.broken:
        return "not yet"
    return "-" if feature in client.lacks else "yes"


def _name(client: Client) -> str:
    return client.package + (f" ({client.shown})" if client.shown else "")


def _notes() -> Iterator[str]:
    for client in CLIENTS:
        for kind, reasons in (("-", client.lacks), ("not yet", client.broken)):
            for feature, reason in reasons.items():
                yield f"- {_name(client)} {client.version}, {feature}: {kind}; {reason}."


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{render()}\n{END}{after}", "utf-8")
