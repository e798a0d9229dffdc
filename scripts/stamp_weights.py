"""Write the size and checksum of the shipped weights into the catalog's entries.

The weights change with each training; an entry that does not match them refuses to load.
"""

import hashlib
import re
from pathlib import Path

from cupola.catalog.store import SHIPPED_ENTRIES, SHIPPED_WEIGHTS


def stamp(entry: Path, weights_folder: Path) -> str:
    """Rewrite the `[weights]` table of `entry`; a line that says what it holds now."""
    text = entry.read_text("utf-8")
    file = weights_folder / _find(text, "file")
    content = file.read_bytes()
    text = _replace(text, "size", str(len(content)))
    text = _replace(text, "sha256", f'"{hashlib.sha256(content).hexdigest()}"')
    entry.write_text(text, "utf-8")
    return f"{entry.name}: {file.name}, {len(content):,} bytes"


def _find(text: str, key: str) -> str:
    found = re.search(rf'^{key} = "(.*)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError(f"The entry has no line `{key} = ...`.")
    return found[1]


def _replace(text: str, key: str, value: str) -> str:
    return re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)


if __name__ == "__main__":
    for path in sorted(SHIPPED_ENTRIES.glob("*.toml")):
        print(stamp(path, SHIPPED_WEIGHTS))
