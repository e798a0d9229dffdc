"""Bytes become one JSON object or a `Malformed` that says what is wrong; nothing else."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cupola.kit.errors import Malformed
from cupola.wire.body import DEEPEST, parse_object

BROKEN = {
    "empty": (b"", "Expecting value"),
    "cut": (b'{"a": ', "Expecting value"),
    "trailing comma": (b'{"a": 1,}', "Expecting property name enclosed in double quotes"),
    "two documents": (b"{}{}", "Extra data"),
    "NaN": (b'{"a": NaN}', "NaN is not a number that JSON has"),
    "not UTF-8": (b'{"a": "\xff"}', "Not UTF-8: invalid start byte"),
    "half a surrogate pair": (b'{"a": "\\ud800"}', "A \\u escape is half of a surrogate pair"),
    "too large a number": (b'{"a": 1e999}', "The number of 'a' is out of range"),
    "too long a number": (b'{"a": %s}' % (b"9" * 5000), "The number of 'a' is out of range"),
    "a name twice": (b'{"a": 1, "a": 2}', "The name 'a' stands twice in one object"),
    "a name twice within": (b'{"b": [{"a": 1, "a": 2}]}',
                            "The name 'a' stands twice in one object"),
    "twice, hidden": (b'{"b": "\\u0022\\u0022", "a": 1, "a": 2}',
                      "The name 'a' stands twice in one object"),
    "too deep": (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "Nested deeper than 64 levels"),
    "far too deep": (b"[" * 100_000, "Nested deeper than 64 levels"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_body_is_explained(body: bytes, reason: str):
    """In words that lead to the mend."""
    with pytest.raises(Malformed) as refused:
        parse_object(body)

    assert "json_invalid" == refused.value.code
    assert {"error": reason} == refused.value.context


def test_the_place_of_a_fault_is_told():
    """As Microsoft's own server tells it: the position in the body."""
    with pytest.raises(Malformed) as refused:
        parse_object(b"{x")

    assert (1,) == refused.value.path


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_only_an_object_is_a_request(body: bytes):
    """Well-formed JSON of another type is refused as such."""
    with pytest.raises(Malformed) as refused:
        parse_object(body)

    assert "dict_type" == refused.value.code


def test_as_deep_as_allowed_is_allowed():
    """Schemas nest; many brackets side by side are no depth."""
    deep = b'{"a":' + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1) + b"}"
    wide = b'{"a":[' + b",".join([b"[]"] * 1000) + b"]}"

    assert parse_object(deep)
    assert 1000 == len(parse_object(wide)["a"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_object_is_read_as_it_was_written(value: dict[str, object]):
    """Looking for repeated names and depth refuses no honest body."""
    assert value == parse_object(msgspec.json.encode(value))


@given(st.binary())
def test_no_bytes_do_harm(body: bytes):
    """Whatever comes is an object or malformed."""
    with suppress(Malformed):
        assert isinstance(parse_object(body), dict)
