"""The SDK as a package: one written from the other, alone, and documented."""

import subprocess
import sys
from pathlib import Path

from scripts.write_sync_sdk import SDK, list_modules, render
from tests.sdk import reference


def test_sync_is_written_from_async():
    """`python scripts/write_sync_sdk.py` writes it anew."""
    assert list_modules() == sorted(path.name for path in (SDK / "_sync").glob("*.py"))
    for name in list_modules():
        assert render(name) == (SDK / "_sync" / name).read_text("utf-8"), name


def test_it_stands_alone():
    """It imports nothing else of Cupola, and none of the heavy packages."""
    program = (
        "import sys, cupola.sdk\n"
        "rooms = {n.split('.')[1] for n in sys.modules if n.startswith('cupola.')}\n"
        "print(rooms, {'pydantic', 'fastapi', 'sqlalchemy', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "{'sdk'} set()\n" == done.stdout


def test_every_method_is_documented():
    """docs/reference/sdk.md lists what there is. `python -m tests.sdk.reference` writes it."""
    text = reference.DOCUMENT.read_text("utf-8")
    shown = text.partition(reference.BEGIN)[2].partition(reference.END)[0]

    assert reference.render() == shown.strip()


def test_sources_say_nothing_of_the_other():
    """No word of asyncio is left in the synchronous client."""
    for path in Path(SDK / "_sync").glob("*.py"):
        assert "async" not in path.read_text("utf-8").replace("_async`", ""), path.name
