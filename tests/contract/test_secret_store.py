"""Every `SecretStore` keeps these promises."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cupola.keys.memory import MemorySecret
from cupola.keys.ports import SecretStore
from cupola.keys.store import DamagedSecret, SecretFile

Make = Callable[[], SecretStore]


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens the same secret each time."""
    memory = MemorySecret()
    return lambda: memory if request.param == "memory" else SecretFile(tmp_path / "secret.key")


def test_secret_has_its_length(make: Make):
    """32 bytes, from the first call on."""
    assert 32 == len(make().ensure_secret())


def test_secret_stays(make: Make):
    """Whoever opens the store later gets the same secret."""
    assert make().ensure_secret() == make().ensure_secret()


def test_first_calls_at_once_agree(make: Make):
    """Two commands on a new home do not make two secrets."""
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda _: make().ensure_secret(), range(8)))

    assert set(secrets) == {secrets[0]}


def test_file_is_closed_to_others(tmp_path: Path):
    """Only the owner may read the file, and nothing else is left beside it."""
    path = tmp_path / "secret.key"
    SecretFile(path).ensure_secret()

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_file_is_reported(tmp_path: Path):
    """A cut file is not taken for a secret; the message names the file and the mend."""
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")

    with pytest.raises(DamagedSecret, match=r"holds 5 bytes instead of 32\. Put the file back"):
        SecretFile(path).ensure_secret()
