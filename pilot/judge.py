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
    return name == right_name and _as_json(arguments) == _as_json(right_arguments)


def _as_json(arguments: Mapping[str, Any]) -> str:
    """Comparable to the letter; 1 and true are different."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)


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
