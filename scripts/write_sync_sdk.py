"""Write `cupola.sdk._sync` from `cupola.sdk._async`: `python scripts/write_sync_sdk.py`.

The two differ in words only, so one is written by hand and the other by this; a test compares.
"""

import re
import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).parent.parent / "src" / "cupola" / "sdk"
HEAD = "# Made by scripts/write_sync_sdk.py from `_async`: change that, not this.\n"

WORDS = [
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bfrom asyncio import sleep", "from time import sleep"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\b_async\b", "_sync"),
    (r"\bAsync(Iterator|Iterable|Transport|Cupola)\b", r"\1"),
    (r"\bhttpx\.Async(\w+)", r"httpx.\1"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\ba(close|read|iter_lines|iter_bytes)\b", r"\1"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"asynchronous", "synchronous"),
]


def convert(text: str) -> str:
    """A module of `_async` as one of `_sync`, not yet in the house's form."""
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    return HEAD + text


def render(name: str) -> str:
    """The module `name` as `_sync` has it."""
    text = convert((SDK / "_async" / name).read_text("utf-8"))
    if name == "__init__.py":
        return HEAD + '"""The synchronous client."""\n'
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["check", "--fix", "--select", "I", "--quiet"], ["format", "--quiet"]):
        line = [*ruff, *words, "--stdin-filename", str(SDK / "_sync" / name), "-"]
        text = subprocess.run(line, input=text, capture_output=True, text=True, check=True).stdout
    return text


def list_modules() -> list[str]:
    return sorted(path.name for path in (SDK / "_async").glob("*.py"))


def main() -> None:
    (SDK / "_sync").mkdir(exist_ok=True)
    for name in list_modules():
        (SDK / "_sync" / name).write_text(render(name), "utf-8")


if __name__ == "__main__":
    main()
