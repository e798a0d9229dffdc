"""Certificates for tests, made by the `openssl` command while they run: none is kept."""

import ssl
import subprocess
from pathlib import Path

from tests.acceptance.missing import give_up


def make_certificate(folder: Path, name: str = "DNS:localhost") -> tuple[ssl.SSLContext, Path]:
    """A server's context for `name`, and the file of the authority that vouches for it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    line = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    try:
        subprocess.run(line, check=True, capture_output=True)
    except FileNotFoundError:
        give_up("the command openssl is missing, which makes the certificates of this test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate
