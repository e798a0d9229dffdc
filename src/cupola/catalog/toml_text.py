"""Values as TOML, for the entries that Cupola writes itself; reading is the standard library's."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def write_toml(table: Mapping[str, Any]) -> str:
    """`table` as a document. Members that are None are left out, since TOML has no such value."""
    return "\n".join(_iter_lines(table, "")) + "\n"


def _iter_lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    """First a table's plain values, then the tables in it, as the format wants it."""
    present = {key: value for key, value in table.items() if value is not None}
    for key, value in present.items():
        if not _is_table(value) and not _is_tables(value):
            yield f"{key} = {_write(value)}"
    for key, value in present.items():
        name = f"{path}{key}"
        if _is_table(value):
            yield from ("", f"[{name}]", *_iter_lines(value, f"{name}."))
        elif _is_tables(value):
            for each in value:
                yield from ("", f"[[{name}]]", *_iter_lines(each, f"{name}."))


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_table, value))


def _write(value: object) -> str:
    """JSON's texts are TOML's, but for the one control character that JSON leaves as it is."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
