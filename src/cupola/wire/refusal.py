"""An error as a reply, and what the dialects' error shapes have in common.

Each dialect's `errors.py` is one table from `Kind` to status and code, and the function that writes
its shape.
"""

from typing import Any

from msgspec import Struct
from msgspec.json import encode

from cupola.kit.errors import CupolaError, ExtraField, Malformed
from cupola.wire.fields import Path

LONGEST_INPUT = 200
"""Bytes of a value that an error shows; the rest helps nobody and may be a secret or 4 MiB."""


class Refusal(Struct, frozen=True):
    """An error, ready to be sent."""

    status: int
    code: str
    """For the header `x-ms-error-code`."""
    body: bytes


def details(error: CupolaError) -> list[dict[str, Any]]:
    """What is wrong and where, in pydantic's form, one item per fault."""
    if isinstance(error, ExtraField) and isinstance(error.value, dict):
        return [
            _detail("extra_forbidden", (name,), error.public, value)
            for name, value in error.value.items()
        ]
    code = error.code if isinstance(error, Malformed) else "parameter_not_supported"
    detail = _detail(code, error.path, error.public, error.value)
    if isinstance(error, Malformed) and error.context:
        detail["ctx"] = error.context
    return [detail]


def location(path: Path) -> list[str | int]:
    """Where in the request: `["body", "messages", 0, "role"]`."""
    return ["body", *path]


def dotted(path: Path) -> str | None:
    """Where in the request, for people: `messages[0].role`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or None


def shown(value: object) -> object:
    """`value` if it is short enough to be shown, its beginning if it is text, else null."""
    if isinstance(value, str):
        return value[:LONGEST_INPUT]
    if isinstance(value, int) and abs(value) >= 2**63:
        return None  # clients' parsers differ on such numbers
    return value if len(encode(value)) <= LONGEST_INPUT else None


def _detail(code: str, path: Path, message: str, value: object) -> dict[str, Any]:
    return {"type": code, "loc": location(path), "msg": message, "input": shown(value)}
