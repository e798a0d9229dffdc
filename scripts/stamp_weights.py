"""Write the size and checksum of the shipped weights into the catalog's entries.

The weights change with each training; an entry that does not match them refuses to load.
"""

import hashlib
import re
from pathlib import Path

from cupola.catalog.store import SHIPPED_ENTRIES, SHIPPED_WEIGHTS


def stamp(entry: Path, weights: Path) -> str:
    """Rewrite what `entry` says of the file `weights`; a line that says what it holds now."""
    content = weights.read_bytes()
    text, count = re.subn(
        rf'^name = "{re.escape(weights.name)}"\nsize = .*\nsha256 = .*$',
        f'name = "{weights.name}"\nsize = {len(content)}\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
        entry.read_text("utf-8"),
        flags=re.MULTILINE,
    )
    if count != 1:
        raise ValueError(f"{entry.name} must have name, size and sha256 of the file in this order.")
    entry.write_text(text, "utf-8")
    return f"{entry.name}: {weights.name}, {len(content):,} bytes"


if __name__ == "__main__":
    for weights in sorted(SHIPPED_WEIGHTS.glob("*.gguf")):
        for entry in sorted(SHIPPED_ENTRIES.glob("*.toml")):
            if f'"{weights.name}"' in entry.read_text("utf-8"):
                print(stamp(entry, weights))
