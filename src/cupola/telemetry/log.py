"""The log: one JSON object a line in a file, and short lines on the terminal.

    {"time": "2026-11-21T14:00:00.123Z", "level": "info", "from": "cupola.home", "message": "..."}

A line may also hold `error`, a traceback. The file turns over at 5 MB and three old ones are kept.
The terminal shows warnings and worse only, without tracebacks, which are in the file. Whoever logs
leaves out keys, prompts and replies; a test runs requests and then looks for them in the file.
"""

import json
import logging
import logging.handlers
import sys
from datetime import UTC, datetime
from pathlib import Path

_LARGEST = 5_000_000
_KEPT = 3


def start_log(file: Path, level: str) -> None:
    """Send every logger's records to `file`, and warnings to the terminal."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for handler in (_file(file), _terminal()):
        root.addHandler(handler)


def stop_log() -> None:
    """Take the handlers of `start_log` away again."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler.formatter, _JsonLine | _ShortLine):
            root.removeHandler(handler)
            handler.close()


def _file(path: Path) -> logging.Handler:
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=_LARGEST, backupCount=_KEPT, encoding="utf-8"
    )
    handler.setFormatter(_JsonLine())
    return handler


def _terminal() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_ShortLine())
    return handler


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _ShortLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {record.getMessage()}"


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
