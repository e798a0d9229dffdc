"""Every kind of error in every dialect, byte for byte: `golden/errors_*.txt`, one line a kind.

To change one on purpose, change the golden line with it; a line is `kind status code body`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cupola.kit import errors
from cupola.kit.errors import CupolaError, ExtraField, Kind, Malformed
from cupola.wire.azure import errors as azure
from cupola.wire.mistral import errors as mistral
from cupola.wire.openai import errors as openai
from cupola.wire.refusal import LONGEST_INPUT, Refusal, dotted

GOLDEN = Path(__file__).parent / "golden"
DIALECTS = pytest.mark.parametrize(
    ("name", "refuse"),
    [("azure", azure.refuse), ("mistral", mistral.refuse), ("openai", openai.refuse)],
    ids=["azure", "mistral", "openai"],
)


def error_of(kind: Kind) -> CupolaError:
    """One of that kind, with all that errors can have."""
    if kind is Kind.MALFORMED:
        return Malformed(
            "Input should be less than or equal to 2",
            code="less_than_equal",
            context={"le": 2.0},
            path=("temperature",),
            value=2.5,
        )
    if kind is Kind.EXTRA_FIELD:
        return ExtraField("Extra inputs are not permitted", value={"a": 1, "b": "x"})
    if kind is Kind.UNSUPPORTED:
        return errors.Unsupported("No JSON.", path=("response_format",), value="json_object")
    classes = [one for one in vars(errors).values() if getattr(one, "kind", None) is kind]
    return classes[0]("Said to all.", private="secret", path=("messages", 1, "role"))


@DIALECTS
def test_every_kind_is_said_as_agreed(name: str, refuse: Callable[[CupolaError], Refusal]):
    """Status, code and body of each kind are a contract."""
    said = [(kind, refuse(error_of(kind))) for kind in Kind]
    lines = [f"{kind} {one.status} {one.code!r} {one.body.decode()}" for kind, one in said]

    assert (GOLDEN / f"errors_{name}.txt").read_text("utf-8") == "\n".join([*lines, ""])


@DIALECTS
@pytest.mark.parametrize("kind", Kind)
def test_private_words_stay_private(name: str, refuse: Any, kind: Kind):
    """What is meant for the log never reaches a caller."""
    assert b"secret" not in refuse(error_of(kind)).body


@pytest.mark.parametrize(
    "value", ["x" * 10_000, {"a": "x" * 10_000}, 10**400, list(range(1000))], ids=type
)
def test_long_values_are_not_sent_back(value: object):
    """Their beginning or nothing, and any value at all can be shown."""
    error = Malformed("No.", path=("stop",), value=value)

    assert len(mistral.refuse(error).body) < LONGEST_INPUT + 200


def test_a_place_is_named_for_people():
    """As one would write it in code."""
    assert "messages[0].content" == dotted(("messages", 0, "content"))
    assert dotted(()) is None
