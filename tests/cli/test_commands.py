"""Commands as a person types them, on a home where no server has run."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cupola import __version__
from cupola.cli import failure
from cupola.cli.main import COMMANDS, app, main
from cupola.kit import errors
from cupola.kit.errors import CupolaError

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_version():
    """It says which version this is."""
    assert f"cupola {__version__}\n" == invoke("version").output


def test_every_command_is_documented():
    """docs/reference/cli.md has a section for each command."""
    documented = set(re.findall(r"`cupola ([a-z-]+)", REFERENCE))

    assert set(COMMANDS) == documented


def test_help_lists_every_command():
    """Though each is imported only then; a slip of the pen gets the nearest."""
    listed = re.findall(r"^\W*([a-z-]+)  ", invoke("--help").output, re.MULTILINE)

    assert list(COMMANDS) == [name for name in listed if name in COMMANDS]
    assert "Did you mean 'deploy'" in invoke("deplyo").output


def test_models_as_json():
    """The catalog for programs, with the promised fields in the promised order."""
    shown = json.loads(invoke("models", "list", "--json").output)

    assert list(shown[0]) == [
        *("name", "publisher", "collection", "summary", "task", "license", "languages"),
        *("context_length", "parameters", "capabilities", "engines", "default_temperature"),
        *("weights_file", "weights_size", "weights_sha256", "terms", "preview", "deployments"),
        *("tool_syntax", "chat_template", "extra_parameters", "price_input", "price_output"),
        *("architecture", "weights", "weights_path"),
    ]
    assert shown[0] == json.loads(invoke("models", "show", "Cupola-Pilot", "--json").output)


def test_models_for_people():
    """A table that names the included model, and says of each where its weights are."""
    rows = invoke("models", "list").output

    assert re.search(r"^Cupola-Pilot .* here$", rows, re.MULTILINE)
    assert re.search(r"^Mistral-Nemo .* not on this machine$", rows, re.MULTILINE)
    assert re.search(r"^Mistral-Large .* unknown .* closed$", rows, re.MULTILINE)
    assert "Apache-2.0" in invoke("models", "show", "Cupola-Pilot").output


def test_models_are_found_by_what_they_are():
    """As the management API finds them; a task that there is not is bad use."""
    found = json.loads(invoke("models", "list", "--text", "MISTRAL nemo", "--json").output)

    assert {"Mistral-Nemo"} <= {each["name"] for each in found}
    assert all("nemo" in each["name"].casefold() for each in found)
    refused = invoke("models", "list", "--task", "dreams")
    assert 2 == refused.exit_code
    assert "chat-completion" in refused.output


def test_own_weights_are_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file in the home's folder, named as in the catalog, is all it takes."""
    monkeypatch.setenv("CUPOLA_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "Mistral-Nemo-Instruct-2407-Q8_0.gguf").touch()

    shown = invoke("models", "show", "Mistral-Nemo").output
    assert re.search(r"^On this machine .*Mistral-Nemo-Instruct-2407-Q8_0\.gguf$", shown, re.M)
    assert "at least 8.1 GiB of memory" in shown


def test_new_home_has_no_endpoint(tmp_path: Path):
    """Asking early is no failure."""
    assert "[]\n" == invoke("endpoints", "list", "--json", "--home", tmp_path / "h").output
    assert "no endpoint yet" in invoke("endpoints", "list", "--home", tmp_path / "h").output


def test_chat_without_server_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A failure is one message with the mend, and no traceback."""
    monkeypatch.setattr("sys.argv", ["cupola", "chat", "--home", str(tmp_path / "h")])
    with pytest.raises(SystemExit, match="6"):
        main()

    expected = f"No Cupola is running. Start it in another terminal: cupola up --home {tmp_path}/h"
    assert f"cupola: {expected}\n" == capsys.readouterr().err


def test_doctor_names_damaged_weights(tmp_path: Path):
    """A broken model file fails the command, and the line says which and what to do."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "Cupola-Pilot.gguf").write_bytes(b"no model")
    result = invoke("doctor", "--home", tmp_path)

    assert 1 == result.exit_code
    assert re.search(r"^fail  model +Cupola-Pilot: ", result.output, re.MULTILINE)
    assert f"-> Replace {tmp_path}/models/Cupola-Pilot.gguf." in result.output


def test_doctor_names_an_open_home(tmp_path: Path):
    """A secret that others can read is a failure with a command to mend it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)

    assert f"-> chmod 700 '{home}'" in invoke("doctor", "--home", home).output
    assert [] == list(home.iterdir())


def test_statuses_are_documented():
    """docs/reference/cli.md and the code say the same of how a command ends."""
    said = set(re.findall(r"^    (\d+) {3,}|  (\d+)  ", failure.__doc__ or "", re.MULTILINE))
    told = {int(one or two) for one, two in said} | {failure.INTERRUPTED}
    rows = re.findall(r"^\| (\d+) \|", REFERENCE, re.MULTILINE)
    constants = {
        *(0, failure.REFUSED, 2, failure.NOT_ALLOWED, failure.NOT_FOUND, failure.CONFLICT),
        *(failure.UNAVAILABLE, failure.INTERRUPTED),
    }

    assert constants == {int(row) for row in rows}
    assert told <= constants


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Unauthenticated("x"), 3),
        (errors.Forbidden("x"), 3),
        (errors.NotFound("x"), 4),
        (errors.Conflict("x"), 5),
        (errors.Stale("x"), 5),
        (errors.Unavailable("x"), 6),
        (errors.Invalid("x"), 1),
        (failure.Failed("x", 6), 6),
    ],
)
def test_status_tells_the_kind(error: errors.CupolaError, status: int):
    """A script can tell what to do from the status alone."""
    assert status == failure.choose_status(error)


def test_starting_costs_no_heavy_import():
    """`cupola --help` and `cupola up` wait for nothing that only other commands need."""
    heavy = "{'httpx', 'fastapi', 'sqlalchemy', 'pydantic', 'yaml', 'cupola.sdk'}"
    program = f"import sys, cupola.cli.main; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "set()\n" == done.stdout


GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "run-a-platform.md"


@pytest.mark.parametrize(
    "line", re.findall(r"^    cupola (.+)$", GUIDE.read_text("utf-8"), re.MULTILINE)
)
def test_guide_shows_commands_that_there_are(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each line is understood; what it wants of a server it cannot get here."""
    monkeypatch.setenv("CUPOLA_HOME", str(tmp_path / "h"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "platform.yaml").write_text("version: 1")
    result = invoke(*shlex.split(line))

    assert isinstance(result.exception, CupolaError), result.output
    assert "No Cupola runs" in result.exception.public
