import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from cupola.telemetry.log import start_log, stop_log

log = logging.getLogger("cupola.test")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    before = logging.getLogger().level
    start_log(tmp_path / "cupola.log", "info")
    yield tmp_path / "cupola.log"
    stop_log()
    logging.getLogger().setLevel(before)


def test_line_is_one_json_object(file: Path):
    """Programs read the log line by line."""
    log.info("Hello %s.", "Zoë")
    line = json.loads(file.read_text("utf-8"))

    assert line.pop("time").endswith("Z")
    assert {"level": "info", "from": "cupola.test", "message": "Hello Zoë."} == line


def test_failure_keeps_its_traceback(file: Path):
    """What went wrong can be found out later, from the file alone."""
    try:
        raise ValueError("spilt milk")
    except ValueError:
        log.exception("It failed.")

    assert "ValueError: spilt milk" in json.loads(file.read_text("utf-8"))["error"]


def test_terminal_shows_warnings_only(file: Path, capsys: pytest.CaptureFixture[str]):
    """The terminal belongs to the person; a warning is one short line there."""
    stop_log()
    start_log(file, "info")
    log.info("A detail.")
    log.warning("Take care.")

    assert "warning: Take care.\n" == capsys.readouterr().err
