"""What `make run` installs is enough to start: nothing that belongs to an extra is imported."""

import subprocess
import sys

import pytest

EXTRAS = ("asyncpg", "authlib", "joserfc", "matplotlib", "opentelemetry.sdk", "redis", "torch")
_PROGRAM = """
import sys
for name in sys.argv[2:]:
    sys.modules[name] = None  # as if it were not installed
__import__(sys.argv[1])
"""


@pytest.mark.parametrize("module", ["cupola.app.serve", "cupola.app.control", "cupola.cli.main"])
def test_nothing_of_an_extra_is_needed(module: str):
    """A user who has no Redis, no PostgreSQL, no provider and no collector installs none of it."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, module, *EXTRAS], capture_output=True, text=True
    )

    assert 0 == done.returncode, done.stderr[-1000:]


_UNUSED = (
    *("alembic", "argon2", "authlib", "cryptography", "cupola.app.control", "cupola.sdk"),
    *("fastapi", "httpx", "huggingface_hub", "joserfc", "opentelemetry.sdk", "pydantic"),
    *("prometheus_client", "rich", "sqlalchemy.dialects.postgresql", "starlette", "yaml"),
)
_START = """
import sys
import cupola.cli.main, cupola.cli.up, cupola.settings, cupola.app.greeting, cupola.app.serve
print([name for name in sys.argv[1:] if name in sys.modules])
"""


def test_a_start_imports_nothing_that_it_has_no_use_for():
    """Imports are most of a start: what only some requests or commands need waits for them."""
    done = subprocess.run(
        [sys.executable, "-c", _START, *_UNUSED], capture_output=True, text=True, check=True
    )

    assert "[]\n" == done.stdout
