"""The certificates that Cupola makes, held against what OpenSSL believes."""

import ssl
import subprocess
from pathlib import Path

import pytest

from cupola.http.authority import ensure_certificate, list_names
from cupola.http.server import ServerTls
from cupola.kit.clock import FakeClock, SystemClock

NAMES = ["localhost", "127.0.0.1", "::1", "cupola.test", "*.cupola.test"]
DAY = 24 * 3600


def _verify(authority: Path, made: ServerTls, *options: str) -> str:
    line = ["openssl", "verify", "-x509_strict", "-CAfile", str(authority), *options]
    done = subprocess.run([*line, str(made.certificate)], capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "option",
    [
        ("-verify_hostname", "localhost"),
        ("-verify_hostname", "pilot.cupola.test"),
        ("-verify_ip", "127.0.0.1"),
        ("-verify_ip", "::1"),
    ],
    ids=" ".join,
)
def test_names_are_vouched_for(tmp_path: Path, option: tuple[str, str]):
    """Whoever believes the authority believes the server, under each of its names."""
    made = ensure_certificate(tmp_path / "tls", NAMES, SystemClock())

    assert _verify(tmp_path / "tls" / "authority.pem", made, *option).endswith(": OK\n")


def test_other_names_are_not(tmp_path: Path):
    """Neither by this certificate, nor by any other that somebody makes with the stolen key."""
    made = ensure_certificate(tmp_path / "tls", NAMES, SystemClock())
    authority = tmp_path / "tls" / "authority.pem"
    forged = _forge(tmp_path, "bank.test")

    assert "hostname mismatch" in _verify(authority, made, "-verify_hostname", "bank.test")
    assert "permitted subtree violation" in _verify(authority, forged)


def _forge(folder: Path, name: str) -> ServerTls:
    """A certificate for `name`, signed with the authority's key."""
    tls = folder / "tls"
    certificate, key = folder / "forged.pem", folder / "forged.key"
    line = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
        *("-CA", str(tls / "authority.pem"), "-CAkey", str(tls / "authority.key")),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(line, check=True, capture_output=True)
    return ServerTls(certificate, key)


def test_the_second_start_finds_all_as_it_was(tmp_path: Path):
    """Whoever has been told to believe the authority need not be told again."""
    first = ensure_certificate(tmp_path, NAMES, FakeClock())
    before = _read(tmp_path)

    assert first == ensure_certificate(tmp_path, NAMES, FakeClock())
    assert before == _read(tmp_path)


def test_the_server_is_renewed_in_time_by_the_same_authority(tmp_path: Path):
    """A month before it ends, while what clients believe stays."""
    clock = FakeClock()
    ensure_certificate(tmp_path, NAMES, clock)
    before = _read(tmp_path)
    clock.advance(366 * DAY)
    ensure_certificate(tmp_path, NAMES, clock)
    assert before == _read(tmp_path)
    clock.advance(2 * DAY)
    ensure_certificate(tmp_path, NAMES, clock)
    after = _read(tmp_path)

    assert before["authority.pem"] == after["authority.pem"]
    assert before["server.pem"] != after["server.pem"]


def test_a_new_name_is_vouched_for(tmp_path: Path):
    """An authority that may not vouch for it is replaced, which no one but the operator does."""
    ensure_certificate(tmp_path, NAMES, SystemClock())
    made = ensure_certificate(tmp_path, [*NAMES, "other.test"], SystemClock())
    option = ("-verify_hostname", "other.test")

    assert _verify(tmp_path / "authority.pem", made, *option).endswith(": OK\n")


def test_keys_are_closed_to_others(tmp_path: Path):
    """From their first byte on."""
    ensure_certificate(tmp_path / "tls", NAMES, SystemClock())

    for name in ("authority.key", "server.key"):
        assert 0o600 == (tmp_path / "tls" / name).stat().st_mode & 0o777


def test_key_and_certificate_belong_together(tmp_path: Path):
    """What was written can be served."""
    made = ensure_certificate(tmp_path, list_names("127.0.0.1", ""), SystemClock())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)

    assert context.cert_store_stats()


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
