"""Commands as a person types them, on a home where no server has run."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cupola import __version__
from cupola.cli.main import app, main

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_version():
    """It says which version this is."""
    assert f"cupola {__version__}\n" == invoke("version").output


def test_every_command_is_documented():
    """docs/reference/cli.md has a section for each command."""
    documented = set(re.findall(r"`cupola ([a-z]+)", REFERENCE))

    commands = {command.name for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}

    assert commands == documented


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
    with pytest.raises(SystemExit, match="1"):
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
