import ast
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cupola.app.greeting import Ready
from cupola.cli.welcome import compose_welcome, spell_command
from cupola.deployments.model import EndpointKind, EndpointState
from cupola.deployments.schemas import EndpointDetail
from cupola.ids import EndpointName, ModelName
from cupola.settings import default_home

PILOT = EndpointDetail(
    name=EndpointName("pilot"),
    kind=EndpointKind.SERVERLESS,
    model=ModelName("Cupola-Pilot"),
    state=EndpointState.READY,
    target_uri="http://127.0.0.1:8100/endpoints/pilot",
    primary_key="PRIMARY",
    secondary_key="SECONDARY",
)
LINES = compose_welcome(Path("/data"), Ready([PILOT], None)).splitlines()


def test_facts_are_shown():
    """Everything that is needed to call the endpoint, and where the data lives."""
    text = "\n".join(LINES)

    assert "Target URI  http://127.0.0.1:8100/endpoints/pilot\n" in text
    assert "Key         PRIMARY\n" in text
    assert "API page    http://127.0.0.1:8100/endpoints/pilot/docs\n" in text
    assert "Data        /data\n" in text
    assert "SECONDARY" not in text


def test_curl_line_can_be_copied():
    """It is one line, and a shell reads it as it is meant."""
    line = next(line for line in LINES if line.startswith("curl "))
    words = shlex.split(line)

    assert "http://127.0.0.1:8100/endpoints/pilot/chat/completions" == words[1]
    assert "Authorization: Bearer PRIMARY" in words
    assert "user" == json.loads(words[-1])["messages"][0]["role"]


def test_python_lines_can_be_copied():
    """They are a whole program."""
    start = LINES.index("from azure.ai.inference import ChatCompletionsClient")
    ast.parse("\n".join(LINES[start:]))


def test_every_endpoint_is_shown():
    """Several endpoints each have their facts; samples are for the first."""
    other = replace(PILOT, name=EndpointName("other"), primary_key="OTHER")
    text = compose_welcome(Path("/data"), Ready([PILOT, other], None))

    assert "Endpoint    other" in text
    assert 1 == text.count("OTHER")


@pytest.mark.parametrize(
    ("program", "home", "expected"),
    [
        (".venv/bin/cupola", default_home(), ".venv/bin/cupola chat pilot"),
        ("/x/__main__.py", default_home(), "cupola chat pilot"),
        ("cupola", Path("/my data"), "cupola chat pilot --home '/my data'"),
    ],
)
def test_command_reaches_this_installation(
    monkeypatch: pytest.MonkeyPatch, program: str, home: Path, expected: str
):
    """The command that is shown works as it is, in the folder and for the home at hand."""
    monkeypatch.setattr(sys, "argv", [program])

    assert expected == spell_command(home, "chat", "pilot")


def test_the_first_administrators_link_is_a_line_of_its_own():
    """So that it can be copied, code and all; and nothing is said of it once there is one."""
    link = "http://127.0.0.1:8100/sign-in/first#CODE"

    assert link in compose_welcome(Path("/data"), Ready([PILOT], link)).splitlines()
    assert not any("sign-in" in line for line in LINES)


def test_without_an_endpoint_the_command_that_makes_one_is_shown():
    """Whoever deleted the last one is told how to go on."""
    assert "deploy Cupola-Pilot --name pilot" in compose_welcome(Path("/data"), Ready([], None))
