"""Whether a reply passes the check of its conversation."""

# ruff: noqa: RUF001

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from pilot.conversation import Check

QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})


def folded(text: str) -> str:
    """The text without case, spacing and the shapes of quotation marks."""
    normal = unicodedata.normalize("NFKC", text).translate(QUOTES).casefold()
    return "".join(normal.split())


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values; strings without regard to case and spacing."""
    if isinstance(left, str) and isinstance(right, str):
        return folded(left) == folded(right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _has_keys(content: str, keys: tuple[str, ...]) -> bool:
    try:
        value = json.loads(content)
    except ValueError:
        return False
    return isinstance(value, dict) and sorted(value) == sorted(keys)


def _calls_right(check: Check, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    if check.no_call and calls:
        return False
    if check.call is None:
        return True
    if len(calls) != 1:
        return False
    (name, arguments), (right_name, right_arguments) = calls[0], check.call
    return name == right_name and _same(arguments, right_arguments)


def passes(check: Check, content: str, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Whether a reply (its text, and its calls as name and arguments) holds what is asked."""
    text = folded(content)
    return (
        all(folded(part) in text for part in check.contains_all)
        and (not check.contains_any or any(folded(part) in text for part in check.contains_any))
        and not any(folded(part) in text for part in check.absent)
        and (check.json_keys is None or _has_keys(content, check.json_keys))
        and _calls_right(check, calls)
    )
