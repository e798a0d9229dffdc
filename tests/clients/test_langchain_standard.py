"""LangChain's standard suites for chat models pass, through two of its classes.

They come with `langchain-tests` and run in the frameworks' environment; `scripts/standard_*.py`
say what is left to chance there and why, docs/reference/compatibility.md says it to users.
"""

import re
import subprocess
from xml.etree.ElementTree import Element, parse

import pytest

from tests.clients.run_client import HERE, LIMIT, environment_of, python_of
from tests.clients.table import DOCUMENT
from tests.running import Running

SUITES = ("openai", "mistralai")


@pytest.fixture(scope="module", params=SUITES)
def suite(
    request: pytest.FixtureRequest, running: Running, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Element]:
    """The suite's name, and what came of it as JUnit's XML."""
    results = tmp_path_factory.mktemp("standard") / "results.xml"
    script = HERE / "scripts" / f"standard_{request.param}.py"
    command = [python_of("frameworks"), "-m", "pytest", "-c", str(script.with_name("standard.ini"))]
    done = subprocess.run(
        [*command, f"--junitxml={results}", str(script)],
        env=environment_of(running),
        cwd=results.parent,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert results.exists(), done.stdout + done.stderr
    return request.param, parse(results).getroot()


def test_the_standard_suite_passes(suite: tuple[str, Element]) -> None:
    """Nothing fails, and most of it is really run."""
    _, results = suite
    cases = list(results.iter("testcase"))
    failed = {
        _name(case): fault.get("message")
        for case in cases
        for fault in [*case.findall("failure"), *case.findall("error")]
    }

    assert {} == failed
    assert len(cases) - len(_left_out(results)) > 30


def test_what_the_standard_suite_leaves_out_is_documented(suite: tuple[str, Element]) -> None:
    """Each test that is skipped stands in the document, with a reason."""
    name, results = suite
    rows = re.findall(
        rf"^\| langchain-{name} \| `(\w+)` \| .+ \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )

    assert _left_out(results) <= set(rows)


def _left_out(results: Element) -> set[str]:
    return {_name(case) for case in results.iter("testcase") if case.find("skipped") is not None}


def _name(case: Element) -> str:
    return str(case.get("name")).partition("[")[0]
